"""Contents of an archive: the rows of an organisation or of a person, as app/privacy/archive/rows.py shapes them.

Everything is read in one snapshot of the database and in pages, so that 1,000 documents need no more memory than one.
"""

import zlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from app.accounts.models import ApiKey, ClaimRule, Identity, Invitation, Membership, Organisation, SignIn, User
from app.audit.models import AuditEntry
from app.bots.models import Bot, BotRevision
from app.chat.models import Citation, Conversation, Message
from app.lib.columns import Use, column_names
from app.library.choices import VersionState
from app.library.models import Chunk, Document, DocumentVersion, Run, RunItem, Source, VersionText
from app.library.selectors.documents import documents_describe
from app.llm.models import ModelEndpoint
from app.privacy.archive.writing import ArchiveWriter, file_part

PAGE = 500
TEXT_BYTES = 256 * 1024
Rows = Iterator[dict[str, Any]]


def _values(rows: "QuerySet[Any]", *names: str, **named: str) -> Rows:
    """Yield the columns `names`, `source_id` as `source`, and those at the ends of paths under the names in `named`."""
    columns = {name: name if name == "external_id" else name.removesuffix("_id") for name in (*names, *named)}
    for row in _paged(rows.values(*names, **{name: F(path) for name, path in named.items()})):
        yield {columns[name]: value for name, value in row.items()}


def _declared(rows: "QuerySet[Any]") -> Rows:
    """Yield the columns that their table declares for archives (app/lib/columns.py)."""
    return _values(rows, *column_names(rows.model, Use.ARCHIVE))


def _paged(rows: "QuerySet[Any]") -> Iterator[dict[str, Any]]:
    """Yield rows in order of their key, a page at a time: without a cursor on the server, all would come at once."""
    after = None
    while True:
        page: Any = rows.order_by("pk").annotate(row_key=F("pk"))
        found = list((page if after is None else page.filter(pk__gt=after))[:PAGE])
        for row in found:
            after = row.pop("row_key")
            yield row
        if len(found) < PAGE:
            return


def organisation_pieces(writer: ArchiveWriter, organisation: UUID, *, conversations: bool) -> Iterator[bytes]:
    """Yield the archive of an organisation, without its end."""
    of = {"organisation": organisation}
    names = ("id", "slug", "name", "chunk_tokens", "chunk_overlap", "retention_days", "accent", "scheme", "welcome")
    yield from writer.table("organisation", _values(Organisation.objects.filter(pk=organisation), *names, "created"))
    yield from writer.table("people", people(organisation))
    yield from writer.table("claim_rules", _values(ClaimRule.objects.filter(**of), "claim", "value", "role"))
    key = ("id", "name", "prefix", "role", "scopes", "expires", "revoked", "last_used", "created")
    yield from writer.table("api_keys", _values(ApiKey.objects.filter(**of), *key))
    invitation = ("email", "role", "expires", "accepted", "created")
    yield from writer.table("invitations", _values(Invitation.objects.filter(**of), *invitation))
    yield from writer.table("endpoints", _endpoints(organisation))
    source = ("id", "name", "kind", "settings", "preset", "cron", "time_zone", "created")
    yield from writer.table("sources", _values(Source.objects.filter(**of), *source))
    yield from writer.table("documents", _documents(organisation))
    yield from writer.table("versions", _versions(organisation))
    yield from writer.table("chunks", _chunks(organisation))
    yield from writer.table("bots", _bots(organisation))
    revision = ("id", "bot_id", "number", "settings", "created_by_id", "created")
    yield from writer.table("revisions", _values(BotRevision.objects.filter(**of), *revision))
    threads = Conversation.objects.filter(**of)
    yield from conversation_pieces(writer, threads if conversations else threads.none())
    yield from writer.table("audit", _audit(AuditEntry.objects.filter(**of)))
    run = ("id", "source_id", "state", "seen", "read", "unchanged", "removed", "skipped", "failed", "error_code",
           "started", "ended", "created")  # fmt: skip
    yield from writer.table("runs", _values(Run.objects.filter(**of), *run))
    item = ("run_id", "external_id", "url", "outcome", "status", "document_id", "detail", "at")
    yield from writer.table("run_items", _values(RunItem.objects.filter(**of), *item))
    for version in _paged(DocumentVersion.objects.filter(_kept(), **of).values("id")):
        yield from _text(writer, version["id"])


def conversation_pieces(writer: ArchiveWriter, rows: "QuerySet[Conversation]") -> Iterator[bytes]:
    """Yield tables of conversations with their messages and citations."""
    chosen = rows.order_by().values("pk")
    yield from writer.table("conversations", _declared(rows))
    yield from writer.table("messages", _declared(Message.objects.filter(conversation__in=chosen)))
    yield from writer.table("citations", _declared(Citation.objects.filter(message__conversation__in=chosen)))


def people(organisation: UUID) -> Rows:
    membership = Membership.objects.filter(organisation=organisation, user=OuterRef("pk"))
    found = User.objects.filter(Q(memberships__organisation=organisation) | Q(conversations__organisation=organisation))
    users = User.objects.filter(pk__in=found.values("pk")).annotate(
        role=Subquery(membership.values("role")), since=Subquery(membership.values("created"))
    )
    return _values(users, "id", "email", "name", "role", "since")


def files_of(organisation: UUID) -> Iterator[tuple[str, str]]:
    """Yield the part and the storage key of each file, once where several versions have the same bytes."""
    rows, seen = DocumentVersion.objects.filter(_kept(), organisation=organisation), set()
    for row in _paged(rows.values("sha256", "document__name", "storage_key")):
        part = file_part(row["sha256"], row["document__name"])
        if part not in seen:
            seen.add(part)
            yield part, row["storage_key"]


def _documents(organisation: UUID) -> Rows:
    names = ("id", "source_id", "external_id", "parent_id", "name", "url", "metadata", "media_type", "state",
             "error_code", "error_message", "pages", "uploaded_by_id", "created")  # fmt: skip
    return _values(Document.objects.filter(organisation=organisation), *names)


def _endpoints(organisation: UUID) -> Rows:
    """Return model servers, and whether each has a key."""
    names = ("name", "kind", "url", "served_models", "defaults", "is_default", "created", "credential_id")
    for row in _values(ModelEndpoint.objects.filter(organisation=organisation), *names):
        models, credential = row.pop("served_models"), row.pop("credential")
        yield {**row, "models": models, "api_key_set": credential is not None}


def _kept() -> Q:
    """Leave out retired versions: citations hold the text that answers quote from them."""
    return ~Q(state=VersionState.RETIRED)


def _versions(organisation: UUID) -> Rows:
    names = ("id", "document_id", "number", "state", "bytes", "sha256", "fetched", "etag", "last_modified",
             "media_type", "title", "language", "pages", "chunks", "embedding_model", "warnings", "created",
             "text__pk", "document__name")  # fmt: skip
    rows = DocumentVersion.objects.filter(_kept(), organisation=organisation)
    for row in _values(rows, *names):
        state, text, name = row.pop("state"), row.pop("text__pk"), row.pop("document__name")
        parts = {"file": file_part(row["sha256"], name), "text": text_part(row["id"]) if text else None}
        yield {**row, "active": state == VersionState.ACTIVE, **parts}


def _chunks(organisation: UUID) -> Rows:
    names = ("id", "document_id", "version_id", "position", "text", "embed_text", "tokens", "start", "end", "place")
    rows = Chunk.objects.filter(organisation=organisation).exclude(version__state=VersionState.RETIRED)
    return _values(rows, *names)


def _bots(organisation: UUID) -> Rows:
    rows = Bot.objects.filter(organisation=organisation)
    linked = rows.annotate(read=ArrayAgg("sources__id", filter=Q(sources__isnull=False), default=[], distinct=True))
    for row in _values(linked, "id", "slug", "name", "created", "read", "live_revision_id"):
        sources = row.pop("read")
        yield {**row, "sources": sources}


def _audit(rows: "QuerySet[AuditEntry]") -> Rows:
    names = ("number", "at", "action", "target_kind", "target", "actor_kind", "actor", "previous", "hash")
    for row in _values(rows, *names, told="detail__content"):
        told = row.pop("told")
        yield {**row, "detail": told}


def text_part(version: UUID) -> str:
    return f"texts/{version}.json"


def _text(writer: ArchiveWriter, version: UUID) -> Iterator[bytes]:
    stored = VersionText.objects.filter(version=version).values_list("blocks", flat=True).first()
    if stored is None:
        return

    def pieces() -> Iterator[bytes]:
        unpack, rest = zlib.decompressobj(), bytes(stored)
        while rest:
            yield unpack.decompress(rest, TEXT_BYTES)
            rest = unpack.unconsumed_tail
        yield unpack.flush()

    yield from writer.part(text_part(version), pieces(), packed=True)


def person_pieces(
    writer: ArchiveWriter, user: User, organisation: UUID | None, *, conversations: bool
) -> Iterator[bytes]:
    """Yield the data that one organisation, or the whole box, holds of a person."""
    here: dict[str, Any] = {} if organisation is None else {"organisation": organisation}
    account = ("id", "email", "name", "created")
    whole = ("is_active", "is_operator", "last_login")
    yield from writer.table("account", _values(User.objects.filter(pk=user.pk), *account, *(() if here else whole)))
    slug = {"in_organisation": "organisation__slug"}
    memberships = Membership.objects.filter(user=user, **here)
    yield from writer.table("memberships", _values(memberships, "role", "by_rule", "created", **slug))
    invitations = Invitation.objects.filter(email__iexact=user.email, **here)
    yield from writer.table("invitations", _values(invitations, "role", "expires", "accepted", "created", **slug))
    if organisation is None:
        identities = Identity.objects.filter(user=user)
        yield from writer.table("identities", _values(identities, "issuer", "subject", "last_used", "created"))
        sign_ins = SignIn.objects.filter(user=user)
        yield from writer.table("sign_ins", _values(sign_ins, "issuer", "address", "agent", "created"))
    uploads = documents_describe(Document.objects.filter(uploaded_by=user, **here))
    names = ("id", "external_id", "name", "media_type", "bytes", "sha256", "created")
    yield from writer.table("uploads", _values(uploads, *names, **slug))
    threads = Conversation.objects.filter(user=user, **here)
    yield from conversation_pieces(writer, threads if conversations else threads.none())
    activity = AuditEntry.objects.filter(actor=user.pk, **here)
    yield from writer.table("activity", _values(activity, "at", "action", "target_kind", "target"))
