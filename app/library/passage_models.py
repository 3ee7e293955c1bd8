from typing import ClassVar

from django.db import models
from django.db.models import Q

from app.accounts.models import Organisation
from app.lib.ids import new_id
from app.library.choices import Step
from app.library.models import Document, DocumentVersion
from app.library.pipeline.job_choices import JobKind, JobState


class Job(models.Model):
    """A piece of work. PostgreSQL owns it; the broker only carries its id (design §3).

    A worker holds it by `lease_until` (database clock) and writes only while `fence` is still the number it took.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, null=True, blank=True, related_name="jobs")
    version = models.ForeignKey(DocumentVersion, models.CASCADE, null=True, blank=True, related_name="jobs")
    kind = models.CharField(max_length=10, choices=JobKind.choices, default=JobKind.INGEST)
    # What a delete job removes, since its rows are gone: {"versions": […], "objects": […]} (app/library/pipeline/deletion.py).
    targets = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    step = models.CharField(max_length=10, choices=Step.choices, null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)  # how often a lease was taken
    # Leases that ended without a word since the last work that was kept; the third fails the document.
    deaths = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    waiting_since = models.DateTimeField(null=True, blank=True)  # first failure of a server that we depend on
    sent = models.DateTimeField(null=True, blank=True)  # when the dispatcher last sent the id
    bytes = models.BigIntegerField(default=0)  # small files first within an organisation's lane
    error_code = models.CharField(max_length=40, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["state", "organisation", "bytes", "id"],
                name="job_open",
                condition=Q(state__in=["queued", "running"]),
            ),
        ]
        constraints: ClassVar = [
            # One open ingest job a document: a retry while one runs finds it instead of racing it.
            models.UniqueConstraint(
                fields=["document"],
                name="job_one_open_per_document",
                condition=Q(state__in=["queued", "running"], kind="ingest"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.state})"


class Chunk(models.Model):
    """Stored text of a version and its place in it. The id is the point's id in the vector store:
    UUIDv5 of (organisation, version, position, embedding model)."""

    id = models.UUIDField(primary_key=True, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="chunk_rows")
    version = models.ForeignKey(DocumentVersion, models.CASCADE, related_name="chunk_rows")
    position = models.PositiveIntegerField()
    text = models.TextField()
    embed_text = models.TextField()  # heading path and text: what is embedded and indexed
    tokens = models.PositiveIntegerField()
    start = models.PositiveIntegerField()  # characters of the version's whole text
    end = models.PositiveIntegerField()
    place = models.JSONField()  # Place of api.md

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "position"], name="chunk_position_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id}#{self.position}"


class EmbeddingCache(models.Model):
    """Vectors by content, so that a rebuild needs no embedding. Per organisation, so that erasure takes it too."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    model = models.CharField(max_length=200)
    content_hash = models.BinaryField(max_length=32)  # SHA-256 of the embedded text
    vector = models.BinaryField()  # float32, little endian

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "model", "content_hash"], name="embedding_cache_unique"),
        ]
