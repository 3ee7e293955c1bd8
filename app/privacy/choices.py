from django.db import models


class RequestState(models.TextChoices):
    """State of an export or an erasure, as its job copies it."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"  # `error_code` says why


OPEN = (RequestState.QUEUED, RequestState.RUNNING)


class ExportKind(models.TextChoices):
    ORGANISATION = "organisation", "Organisation"  # everything of it
    PERSON = "person", "Person"  # what one organisation holds of a person
    ACCOUNT = "account", "Account"  # what the whole box holds of a person; only they may fetch it


class ErasureKind(models.TextChoices):
    ORGANISATION = "organisation", "Organisation"
    PERSON = "person", "Person"  # what one organisation holds of a person
    ACCOUNT = "account", "Account"  # a person's account, everywhere
    CONVERSATION = "conversation", "Conversation"  # one whose owner is a program
