from django.db import models


class RequestState(models.TextChoices):
    """State of an export or an erasure, as its job copies it."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"  # `error_code` has the reason


OPEN = (RequestState.QUEUED, RequestState.RUNNING)


class ExportKind(models.TextChoices):
    ORGANISATION = "organisation", "Organisation"  # everything of the organisation
    PERSON = "person", "Person"  # the data that one organisation holds of a person
    ACCOUNT = "account", "Account"  # the data that the whole box holds of a person; only that person may fetch it


class ErasureKind(models.TextChoices):
    ORGANISATION = "organisation", "Organisation"
    PERSON = "person", "Person"  # the data that one organisation holds of a person
    ACCOUNT = "account", "Account"  # a person's account and data in every organisation
    CONVERSATION = "conversation", "Conversation"  # a conversation whose owner is a program
