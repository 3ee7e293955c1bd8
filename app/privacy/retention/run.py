"""Remove old data once a UTC night: conversations by each organisation's own rule, and expired rows.

A RetentionRun marks an organisation's night as done, so a job that starts again continues where it stopped. An advisory
lock keeps a second worker or command out.
"""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from app.accounts.models import Invitation, OneTimeToken, Organisation
from app.accounts.user_sessions import user_sessions_expired, user_sessions_purge
from app.audit.trail import audit_record
from app.chat.models import Citation, Conversation, Message
from app.lib.advisory_lock import RETENTION, lock_try
from app.library.choices import VersionState
from app.library.models import Chunk, DocumentVersion, Run
from app.library.services.versions import versions_forget
from app.privacy.exports.run import exports_expire, exports_tidy
from app.privacy.models import Export, RetentionRun

log = logging.getLogger(__name__)

# A night begins at 01:00 UTC, when the day has ended everywhere in Europe.
BEGINS = timedelta(hours=1)
BATCH = 200
RUNS_KEPT = timedelta(days=400)
VERSIONS_KEPT = timedelta(days=1)
SOURCE_RUNS_KEPT = timedelta(days=90)

Counts = dict[str, int]


def night_of(moment: datetime) -> date:
    return (moment.astimezone(UTC) - BEGINS).date()


def retention_run(
    *,
    organisation: UUID | None = None,
    dry_run: bool = False,
    again: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
) -> dict[str, Counts]:
    """Remove what is too old: of one organisation, or of all and of the box itself. Organisations that were done this
    night are left out, except with `again`. Counts by organisation's slug; nothing is removed with `dry_run`. Empty
    when another process is at it. on_step: hears `organisations` before each of them, and `box`.
    """
    night, found = night_of(timezone.now()), {}
    with lock_try(RETENTION) as alone:
        if not alone:
            return {}
        done = (
            set()
            if again
            else set(RetentionRun.objects.filter(night__gte=night).values_list("organisation_id", flat=True))
        )
        rows = Organisation.objects.order_by("pk")
        for row in rows.filter(pk=organisation) if organisation else rows:
            if row.pk not in done:
                on_step("organisations")
                found[row.slug] = _organisation_tidy(row, night, dry_run=dry_run)
        if organisation is None and None not in done:
            on_step("box")
            found[""] = _box_tidy(night, dry_run=dry_run)
    return found


def conversations_old(organisation: Organisation) -> "QuerySet[Conversation]":
    """Return the conversations whose last turn is older than the organisation's retention period."""
    if organisation.retention_days is None:
        return Conversation.objects.none()
    cut = timezone.now() - timedelta(days=organisation.retention_days)
    # A running turn updates its message first and its conversation later.
    moving = Message.objects.filter(conversation=OuterRef("pk"), updated__gte=cut)
    return Conversation.objects.filter(~Exists(moving), organisation=organisation, updated__lt=cut)


def _organisation_tidy(organisation: Organisation, night: date, *, dry_run: bool) -> Counts:
    old, now = conversations_old(organisation), timezone.now()
    invitations = Invitation.objects.filter(organisation=organisation, expires__lt=now)
    exports = Export.objects.filter(organisation=organisation, expires__lte=now)
    uncited, runs = versions_uncited(organisation.pk, now=now), runs_old(organisation.pk, now=now)
    if dry_run:
        return {
            "conversations": old.count(),
            "messages": Message.objects.filter(conversation__in=old).count(),
            "citations": Citation.objects.filter(message__conversation__in=old).count(),
            "invitations": invitations.count(),
            "exports": exports.count(),
            "old_versions": uncited.count(),
            "runs": runs.count(),
            "cached_vectors": _vectors_forget(organisation.pk, count_only=True),
        }
    counts = conversations_remove(old)
    counts["invitations"] = invitations.delete()[0]
    counts["exports"] = exports_expire(organisation=organisation.pk)
    counts["old_versions"] = _versions_tidy(organisation.pk, uncited)
    counts["runs"] = runs.count()
    runs.delete()
    counts["cached_vectors"] = _vectors_forget(organisation.pk)
    with transaction.atomic():
        RetentionRun.objects.create(organisation=organisation, night=night, counts=counts)
        if any(counts.values()):
            audit_record(
                organisation=organisation.pk,
                action="retention.run",
                target_kind="organisation",
                target=str(organisation.pk),
                after=counts,
            )
    if any(counts.values()):
        log.info("retention of organisation %s: %s", organisation.pk, counts)
    return counts


def conversations_remove(rows: "QuerySet[Conversation]") -> Counts:
    """Remove conversations with their messages and citations, 200 at a time; return the number of each."""
    counts = {"conversations": 0, "messages": 0, "citations": 0}
    while batch := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            messages = Message.objects.filter(conversation__in=batch)
            counts["citations"] += _removed(Citation.objects.filter(message__in=messages.values("pk")))
            counts["messages"] += messages.count()
            Conversation.objects.filter(pk__in=batch).delete()
            counts["conversations"] += len(batch)
    return counts


def _removed(rows: "QuerySet[Any]") -> int:
    return rows.delete()[0]


def runs_old(organisation: UUID, *, now: datetime) -> "QuerySet[Run]":
    """Return the runs of sources that ended over 90 days ago and are not the newest of their source."""
    newer = Run.objects.filter(source=OuterRef("source"), created__gt=OuterRef("created"))
    return Run.objects.filter(Exists(newer), organisation=organisation, ended__lt=now - SOURCE_RUNS_KEPT)


def versions_uncited(organisation: UUID, *, now: datetime) -> "QuerySet[DocumentVersion]":
    """Return the retired versions that no answer cites."""
    cited = Citation.objects.filter(document=OuterRef("document"), version=OuterRef("number"))
    retired = DocumentVersion.objects.filter(organisation=organisation, state=VersionState.RETIRED)
    # Except those retired less than a day ago, which an answer being written may cite, and the document's newest.
    old = retired.filter(Q(retired__lt=now - VERSIONS_KEPT) | Q(retired=None)).exclude(number=F("document__version"))
    return old.filter(~Exists(cited))


def _versions_tidy(organisation: UUID, uncited: "QuerySet[DocumentVersion]") -> int:
    """Remove uncited versions, and the uncited passages of cited versions; return the number of versions."""
    removed = 0
    while batch := list(uncited.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        removed += versions_forget(organisation=organisation, versions=batch)
    cited = Citation.objects.filter(organisation=organisation, chunk_id=OuterRef("pk"))
    cut = timezone.now() - VERSIONS_KEPT
    passages = Chunk.objects.filter(
        ~Exists(cited), organisation=organisation, version__state=VersionState.RETIRED, version__retired__lt=cut
    )
    passages.delete()
    return removed


def _vectors_unused(organisation: UUID) -> bool:
    """Return whether there are more cached vectors than distinct passages: a cheap test that ends most nights' work."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM library_embeddingcache WHERE organisation_id = %(of)s)"
            " > (SELECT count(DISTINCT sha256(convert_to(embed_text, 'UTF8'))) FROM library_chunk"
            " WHERE organisation_id = %(of)s)",
            {"of": organisation},
        )
        return bool(cursor.fetchone()[0])


def _vectors_forget(organisation: UUID, *, count_only: bool = False) -> int:
    """Remove cached vectors without a passage, most of them of deleted documents; return how many."""
    if not _vectors_unused(organisation):
        return 0
    unused = (
        "FROM library_embeddingcache e WHERE e.organisation_id = %(of)s AND NOT EXISTS (SELECT 1 FROM library_chunk c"
        " WHERE c.organisation_id = %(of)s AND sha256(convert_to(c.embed_text, 'UTF8')) = e.content_hash)"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"{'SELECT count(*)' if count_only else 'DELETE'} {unused}", {"of": organisation})
        return int(cursor.fetchone()[0]) if count_only else cursor.rowcount


def _box_tidy(night: date, *, dry_run: bool) -> Counts:
    now = timezone.now()
    tokens = OneTimeToken.objects.filter(expires__lt=now)
    sessions = Session.objects.filter(expire_date__lt=now)
    if dry_run:
        return {
            "one_time_tokens": tokens.count(),
            "sessions": sessions.count(),
            "sign_ins": user_sessions_expired().count(),
        }
    counts = {"one_time_tokens": tokens.delete()[0], "sessions": sessions.delete()[0]}
    counts |= {"sign_ins": user_sessions_purge(), **exports_tidy()}
    RetentionRun.objects.filter(created__lt=now - RUNS_KEPT).delete()
    RetentionRun.objects.create(organisation=None, night=night, counts=counts)
    return counts
