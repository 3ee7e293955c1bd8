from typing import ClassVar

from django.db import models
from django.db.models import F
from django.utils import timezone

from app.accounts.models import Organisation, User
from app.lib.ids import new_id
from app.library.choices import DocumentState, SourceKind, Step, VersionState

# In UTF-8, so that it fits an index's entry (2,704 bytes) beside the source.
EXTERNAL_ID_BYTES = 2000
URL_LENGTH = 2000
VALIDATOR_LENGTH = 500


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
    """A document of a source, by the id that the source gives it: a file's name, an address, a key, a caller's own id.

    Its bytes belong to its versions; a list reads those of the newest one (app/library/selectors/documents.py).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="documents")
    source = models.ForeignKey(Source, models.CASCADE, related_name="documents")
    external_id = models.CharField(max_length=EXTERNAL_ID_BYTES)
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=URL_LENGTH, blank=True)  # of the original, where it has one
    metadata = models.JSONField(default=dict, blank=True)  # whatever a program that pushes wants to keep with it
    media_type = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=DocumentState.choices, default=DocumentState.QUEUED)
    step = models.CharField(max_length=10, choices=Step.choices, null=True, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    # Number of the newest version; `active_version` is the one that answers.
    version = models.PositiveIntegerField(default=1)
    # Of the newest version that was read, as far as it was.
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
    """The bytes of a document at one time, and what was read from them.

    The same bytes of an organisation are one stored object, however many versions name its key. A version that was
    replaced stays as long as an answer cites it (app/privacy/retention).
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
    # What the source's server named these bytes by, sent back to it to ask whether they have changed.
    etag = models.CharField(max_length=VALIDATOR_LENGTH, blank=True)
    last_modified = models.CharField(max_length=VALIDATOR_LENGTH, blank=True)
    # As the source says, until the file is read: a hint to its reader.
    media_type = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=10, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    chunks = models.PositiveIntegerField(default=0)
    embedding_model = models.CharField(max_length=200, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    retired = models.DateTimeField(null=True, blank=True)  # when another one took its place

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "number"], name="version_number_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["storage_key"], name="version_by_object")]
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
