from typing import ClassVar

from django.db import models
from django.db.models import F

from app.accounts.models import Organisation, User
from app.lib.ids import new_id
from app.library.choices import DocumentState, SourceKind, Step, VersionState


class Source(models.Model):
    """Where documents come from: uploads now; websites and connectors later."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="sources")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=SourceKind.choices, default=SourceKind.UPLOADS)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "name"], name="source_name_unique")]

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """One file of an organisation. The same bytes in the same organisation are the same document."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="documents")
    source = models.ForeignKey(Source, models.CASCADE, related_name="documents")
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=100, blank=True)
    bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=DocumentState.choices, default=DocumentState.QUEUED)
    step = models.CharField(max_length=10, choices=Step.choices, null=True, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    # Of the version that answers; until there is one, of the version being built.
    version = models.PositiveIntegerField(default=1)
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
            models.UniqueConstraint(fields=["organisation", "sha256"], name="document_bytes_unique")
        ]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-created"], name="document_by_age"),
            models.Index(fields=["organisation", "state"], name="document_by_state"),
        ]

    def __str__(self) -> str:
        return self.name


class DocumentVersion(models.Model):
    """What was read from a document at one time. A re-index makes a new one and then switches."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=VersionState.choices, default=VersionState.BUILDING)
    storage_key = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=10, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    chunks = models.PositiveIntegerField(default=0)
    embedding_model = models.CharField(max_length=200, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "number"], name="version_number_unique"),
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
