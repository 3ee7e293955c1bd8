from django.db import models


class MessageRole(models.TextChoices):
    USER = "user", "User"
    ASSISTANT = "assistant", "Assistant"


class MessageState(models.TextChoices):
    RUNNING = "running", "Running"  # being written; `updated` advances meanwhile
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"  # by its reader; the text so far is kept
    INTERRUPTED = "interrupted", "Interrupted"  # a process or a server died; the text so far is kept
    FAILED = "failed", "Failed"  # no text; error_code has the reason


class AnswerMode(models.TextChoices):
    MODEL = "model", "Model"  # written by a language model from the passages
    EXTRACTIVE = "extractive", "Extractive"  # sentences of the passages, no model used
    REFUSED = "refused", "Refused"  # the documents do not support an answer
