from django.db import models


class SourceKind(models.TextChoices):
    UPLOADS = "uploads", "Uploads"


class DocumentState(models.TextChoices):
    QUEUED = "queued", "Queued"  # a job waits for a worker
    RUNNING = "running", "Running"  # a worker holds the lease
    READY = "ready", "Ready"  # the active version can be found and cited
    FAILED = "failed", "Failed"  # error_code says why; retry makes a new job
    CANCELLED = "cancelled", "Cancelled"  # by a person; retry makes a new job


class Step(models.TextChoices):
    """What a worker does with a document, in this order; each can be done again without harm."""

    FETCH = "fetch", "Fetching"
    PARSE = "parse", "Reading"
    CHUNK = "chunk", "Cutting into passages"
    EMBED = "embed", "Embedding"
    INDEX = "index", "Indexing"


class VersionState(models.TextChoices):
    BUILDING = "building", "Building"  # being ingested; never searched
    ACTIVE = "active", "Active"  # the one version of its document that answers
    RETIRED = "retired", "Retired"  # replaced; its vectors are deleted or about to be
