from django.db import models


class SourceKind(models.TextChoices):
    """Kinds of source, each with a connector in app/library/connectors."""

    UPLOADS = "uploads", "Uploads"  # files that people and programs send; a file's name is its id
    PUSH = "push", "Push"  # documents that a program sends under ids of its own


class SchedulePreset(models.TextChoices):
    OFF = "off", "Never"  # only on request
    HOURLY = "hourly", "Every hour"
    DAILY = "daily", "Every day"
    WEEKLY = "weekly", "Every week"
    MONTHLY = "monthly", "Every month"
    CRON = "cron", "As a cron expression says"


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"  # failed items have outcomes of their own
    FAILED = "failed", "Failed"  # the source itself could not be read; error_code has the reason
    CANCELLED = "cancelled", "Cancelled"


OPEN_RUNS = (RunState.QUEUED, RunState.RUNNING)


class Outcome(models.TextChoices):
    """Outcomes of an item of a run."""

    READ = "read", "Read"  # new, or other bytes than before
    UNCHANGED = "unchanged", "Unchanged"
    REMOVED = "removed", "Removed"  # no longer in the source
    # Left out on purpose.
    ROBOTS = "robots", "Excluded by robots.txt"
    PATTERN = "pattern", "Excluded by a pattern"
    DEPTH = "depth", "Too deep"
    LIMIT = "limit", "Beyond the limit of the source"
    DUPLICATE = "duplicate", "A duplicate"
    NOT_HTML = "not_html", "Not a kind that is read"
    TRAP = "trap", "Part of an endless series"
    # Could not be read.
    HTTP_ERROR = "http_error", "Refused by its server"
    TOO_LARGE = "too_large", "Too large"
    TIMEOUT = "timeout", "Timed out"
    BLOCKED_ADDRESS = "blocked_address", "At an address that may not be reached"
    LOGIN_NEEDED = "login_needed", "Behind a sign-in"
    FAILED = "failed", "Failed"  # `detail` has the reason


SKIPPED = (
    Outcome.ROBOTS,
    Outcome.PATTERN,
    Outcome.DEPTH,
    Outcome.LIMIT,
    Outcome.DUPLICATE,
    Outcome.NOT_HTML,
    Outcome.TRAP,
)
FAILURES = (
    Outcome.HTTP_ERROR,
    Outcome.TOO_LARGE,
    Outcome.TIMEOUT,
    Outcome.BLOCKED_ADDRESS,
    Outcome.LOGIN_NEEDED,
    Outcome.FAILED,
)


class DocumentState(models.TextChoices):
    QUEUED = "queued", "Queued"  # a job waits for a worker
    RUNNING = "running", "Running"  # a worker holds the lease
    READY = "ready", "Ready"  # the active version can be found and cited
    FAILED = "failed", "Failed"  # error_code has the reason; retry makes a new job
    CANCELLED = "cancelled", "Cancelled"  # by a person; retry makes a new job


class Step(models.TextChoices):
    """Steps of a document's ingest, in their order; each can be repeated without harm."""

    FETCH = "fetch", "Fetching"
    PARSE = "parse", "Reading"
    CHUNK = "chunk", "Cutting into passages"
    EMBED = "embed", "Embedding"
    INDEX = "index", "Indexing"


class VersionState(models.TextChoices):
    BUILDING = "building", "Building"  # being ingested; never searched
    ACTIVE = "active", "Active"  # the one version of its document that is searched
    RETIRED = "retired", "Retired"  # replaced or cancelled; without vectors, and kept while an answer cites it
