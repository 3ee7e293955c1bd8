from django.db import models


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"  # free for a worker from `not_before` on
    RUNNING = "running", "Running"  # leased until `lease_until`; an expired lease is free again
    DONE = "done", "Done"
    FAILED = "failed", "Failed"  # `error_code` says why
    CANCELLED = "cancelled", "Cancelled"  # by a person; a worker that still holds the lease is fenced out


class JobKind(models.TextChoices):
    INGEST = "ingest", "Ingest"  # make the version searchable
    DELETE = "delete", "Delete"  # remove vectors and objects of what is no longer in the rows
