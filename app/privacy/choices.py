from django.db import models


class WorkState(models.TextChoices):
    """Of a long piece of work that a worker does in the background."""

    QUEUED = "queued", "Queued"  # free for a worker from `not_before` on
    RUNNING = "running", "Running"  # leased until `lease_until`; an expired lease is free again
    DONE = "done", "Done"
    FAILED = "failed", "Failed"  # `error_code` says why


class ExportKind(models.TextChoices):
    ORGANISATION = "organisation", "Organisation"  # everything of it
    PERSON = "person", "Person"  # what one organisation holds of a person
    ACCOUNT = "account", "Account"  # what the whole box holds of a person; only they may fetch it


class ErasureKind(models.TextChoices):
    ORGANISATION = "organisation", "Organisation"
    PERSON = "person", "Person"  # what one organisation holds of a person
    ACCOUNT = "account", "Account"  # a person's account, everywhere
    CONVERSATION = "conversation", "Conversation"  # one whose owner is a program
