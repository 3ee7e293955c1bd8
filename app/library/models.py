from typing import ClassVar

from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils import timezone

from app.accounts.models import Organisation, User
from app.lib.ids import new_id
from app.library.choices import (
    OPEN_RUNS,
    DocumentState,
    Outcome,
    RunState,
    SchedulePreset,
    SourceKind,
    Step,
    VersionState,
)

# In bytes of UTF-8, so that an entry of the index (2,704 bytes) has room for the id and the source.
EXTERNAL_ID_BYTES = 2000
URL_LENGTH = 2000
VALIDATOR_LENGTH = 500


class Source(models.Model):
    """A place that documents come from. Its kind names its connector (app/library/connectors)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="sources")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=SourceKind.choices, default=SourceKind.UPLOADS)
    settings = models.JSONField(default=dict, blank=True)  # the connector's `Settings`, checked by it
    # The credential that the connector reads the source with.
    credential = models.ForeignKey(
        "secrets.Secret", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    # The position after the last successful run, in a format of the connector's own.
    cursor = models.JSONField(null=True, blank=True, editable=False)
    preset = models.CharField("read", max_length=10, choices=SchedulePreset.choices, default=SchedulePreset.OFF)
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "name"], name="source_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def schedule_name(self) -> str:
        """Return the name of its row on the schedule (app/jobs/schedule.py)."""
        return f"source:{self.pk}"


class Run(models.Model):
    """One reading of a source: what it found is compared with the documents that are there."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    source = models.ForeignKey(Source, models.CASCADE, related_name="runs")
    job = models.UUIDField(
        null=True, blank=True, editable=False, db_index=True
    )  # jobs are deleted after a while, runs stay longer
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    cursor = models.JSONField(null=True, blank=True, editable=False)  # everything before it has been dealt with
    # Counts of its items; `seen` is all of them.
    seen = models.PositiveIntegerField(default=0)
    read = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    started = models.DateTimeField(null=True, blank=True)
    ended = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["source", "-created"], name="run_by_source")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source"], name="run_one_open", condition=Q(state__in=list(OPEN_RUNS))),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.created:%Y-%m-%d %H:%M}"


class RunItem(models.Model):
    """The outcome of one item of a run."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, models.CASCADE, related_name="items")
    external_id = models.CharField(max_length=EXTERNAL_ID_BYTES)
    url = models.CharField(max_length=URL_LENGTH, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # of HTTP, if the item was fetched by HTTP
    document = models.ForeignKey("Document", models.SET_NULL, null=True, blank=True, related_name="+")
    detail = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            # A run that goes on after a crash skips the items that it has done.
            models.UniqueConstraint(fields=["run", "external_id"], name="run_item_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.external_id}"


class Document(models.Model):
    """A document of a source, by the id that the source gives it: a file's name, an address, a key, a caller's own id.

    The bytes belong to its versions; a list reads those of the newest one (app/library/selectors/documents.py).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="documents")
    source = models.ForeignKey(Source, models.CASCADE, related_name="documents")
    external_id = models.CharField(max_length=EXTERNAL_ID_BYTES)
    # The mail or archive that this file is in; it is read from there, and goes with it.
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="members", editable=False)
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=URL_LENGTH, blank=True)  # of the original, if there is one
    metadata = models.JSONField(default=dict, blank=True)  # stored as the program that pushes it gives it
    media_type = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=DocumentState.choices, default=DocumentState.QUEUED)
    step = models.CharField(max_length=10, choices=Step.choices, null=True, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    # Number of the newest version; searches use `active_version`.
    version = models.PositiveIntegerField(default=1)
    # Passages and pages of the newest version, as far as it was read.
    chunks = models.PositiveIntegerField(default=0)
    pages = models.PositiveIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    active_version = models.ForeignKey(
        "DocumentVersion", models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    uploaded_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="document_identity_unique")
        ]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-created"], name="document_by_age"),
            models.Index(fields=["organisation", "state"], name="document_by_state"),
        ]

    def __str__(self) -> str:
        return self.name


class DocumentVersion(models.Model):
    """The bytes of a document at one time, and the text and passages made from them.

    Versions of an organisation with the same bytes share one stored object. A replaced version stays as long as an
    answer cites it (app/privacy/retention).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=VersionState.choices, default=VersionState.BUILDING)
    storage_key = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()
    fetched = models.DateTimeField(default=timezone.now)  # when the source gave these bytes
    # Validators of these bytes from the source's server, for conditional requests.
    etag = models.CharField(max_length=VALIDATOR_LENGTH, blank=True)
    last_modified = models.CharField(max_length=VALIDATOR_LENGTH, blank=True)
    # As the source states it, until the file is read: a hint to the parser.
    media_type = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=10, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    seconds = models.PositiveIntegerField(null=True, blank=True)  # of a recording
    chunks = models.PositiveIntegerField(default=0)
    embedding_model = models.CharField(max_length=200, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    # The last attempts to read it, as app/library/pipeline/timeline.py writes them.
    attempts = models.JSONField(default=list, db_default=[], blank=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    retired = models.DateTimeField(null=True, blank=True)  # when another version replaced it

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "number"], name="version_number_unique"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["storage_key"], name="version_by_object"),
            # The sums that a plan limits are read from it alone, and it finds the documents with the same bytes.
            models.Index(
                fields=["organisation", "sha256"],
                include=["document", "bytes", "pages", "seconds"],
                name="version_by_bytes",
                condition=~Q(state=VersionState.RETIRED),
            ),
        ]
        ordering: ClassVar = [F("number").desc()]

    def __str__(self) -> str:
        return f"{self.document_id} v{self.number}"


class VersionText(models.Model):
    """The blocks of a version as its parser gave them (app/library/parsers/blocks.py), for the source panel."""

    version = models.OneToOneField(DocumentVersion, models.CASCADE, primary_key=True, related_name="text")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    blocks = models.BinaryField()  # compact JSON, zlib


class Chunk(models.Model):
    """Stored text of a version and its place in it. The id is the point's id in the vector store:
    UUIDv5 of (organisation, version, position, embedding model)."""

    id = models.UUIDField(primary_key=True, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="chunk_rows")
    version = models.ForeignKey(DocumentVersion, models.CASCADE, related_name="chunk_rows")
    position = models.PositiveIntegerField()
    text = models.TextField()
    embed_text = models.TextField()  # heading path and text, which are embedded and indexed
    tokens = models.PositiveIntegerField()
    start = models.PositiveIntegerField()  # characters of the version's whole text
    end = models.PositiveIntegerField()
    place = models.JSONField()  # Place of api.md
    # A column, because under row security no index serves an expression.
    text_hash = models.GeneratedField(
        expression=Func("text", Value(0), function="hashtextextended", output_field=models.BigIntegerField()),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "position"], name="chunk_position_unique"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "text_hash", "document"], name="chunk_by_text"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id}#{self.position}"


class DocumentMatch(models.Model):
    """A document of which most passages stand in another one too (app/library/pipeline/matches.py).

    percent: how many of the document's passages the other one has.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    # No constraints of the database: the deletion of one document would let the ingest of the other fail.
    document = models.ForeignKey(Document, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    other = models.ForeignKey(Document, models.CASCADE, related_name="+", db_constraint=False)
    percent = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "other"], name="document_match_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} ~ {self.other_id} {self.percent}%"


class EmbeddingCache(models.Model):
    """A vector by its content, so that a rebuild embeds nothing. Per organisation, so that its erasure removes it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    model = models.CharField(max_length=200)
    content_hash = models.BinaryField(max_length=32)  # SHA-256 of the embedded text
    vector = models.BinaryField()  # float32, little endian

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "model", "content_hash"], name="embedding_cache_unique"),
        ]
