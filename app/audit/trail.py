"""The audit trail: records of changes with actor, time and address, written in the transaction of the change.

Call `audit_record` last in a transaction: from there to its end it locks the organisation's chain.
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from psycopg.types.json import Jsonb

from app.audit.actors import Actor, actor_labelled, actor_now
from app.audit.chain import (
    canonical,
    detail_hash,
    entry_hash,
    erased_content,
    head_is_sealed,
    head_seal,
    is_erased,
)
from app.audit.content import changes, text
from app.audit.models import AuditDetail, AuditEntry, AuditHead
from app.lib.ids import new_id
from app.lib.tenancy import everything_visible

LARGEST_CONTENT = 32 * 1024
ERASED_AT_ONCE = 500
SEAL_BROKEN, BREAK_ACCEPTED = "audit.seal_broken", "audit.break_accepted"

# Two statements, two round trips. The ORM's four statements took twice as long.
_LOCK = "SELECT id, number, hash, seal FROM audit_audithead WHERE organisation_id {} FOR UPDATE"
_WRITE = """
WITH entry AS (
  INSERT INTO audit_auditentry (id, organisation_id, number, at, action, target_kind, target, actor_kind, actor,
    detail_hash, previous, hash)
  VALUES (%(id)s, %(organisation_id)s, %(number)s, %(at)s, %(action)s, %(target_kind)s, %(target)s, %(actor_kind)s,
    %(actor)s, %(detail_hash)s, %(previous)s, %(hash)s)
), detail AS (
  INSERT INTO audit_auditdetail (entry_id, organisation_id, content)
  VALUES (%(id)s, %(organisation_id)s, %(content)s)
)
UPDATE audit_audithead SET number = %(number)s, hash = %(hash)s, seal = %(seal)s WHERE id = %(head)s
"""


def audit_record(
    *,
    organisation: UUID | None,
    action: str,
    target_kind: str = "",
    target: str = "",
    target_name: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Record one change. A rolled-back transaction removes the entry too; an error here rolls back the change.

    organisation: None for a change of the box itself. actor: the present actor, if not given.
    before, after: values by field name; if both are given, only differences are stored. Secrets are masked, long texts
    shortened.
    """
    actor = actor_labelled(actor or actor_now())
    old, new = changes(before, after)
    content: dict[str, Any] = {
        "salt": secrets.token_hex(16),
        "actor": text(actor.label),
        "address": text(actor.address, 45),
        "target": text(target_name),
    }
    content |= {"before": old} if old is not None else {}
    content |= {"after": new} if new is not None else {}
    if len(canonical(content)) > LARGEST_CONTENT:
        content |= {side: {"shortened": "too large to keep"} for side in ("before", "after") if side in content}
    entry = AuditEntry(
        organisation_id=organisation,
        action=action,
        target_kind=target_kind,
        target=target[:64],
        actor_kind=actor.kind,
        actor=actor.id,
        detail_hash=detail_hash(content),
    )
    # A request's scope does not include the chain of the box, or of another organisation of the same person.
    with everything_visible(), transaction.atomic(savepoint=False):
        _append(entry, content)


def audit_details_erase(*, organisation: UUID | None = None, user: UUID | None = None, email: str = "") -> int:
    """Blank the details about a person (by id, and wherever their address is) or an organisation; return the number.

    The entries stay and the chain still verifies: they hold actions, times, and ids that identify nobody. Raises
    ValueError without a search criterion.
    """
    rows = AuditDetail.objects.select_related("entry").order_by("entry_id")
    # Who is named beside an earlier erased person may be erased now.
    rows = rows.filter(~Q(content__has_key="erased") | Q(content__has_key="others"))
    if organisation is not None and user is None and not email:
        return _blank((row, ()) for row in _paged(rows.filter(organisation=organisation)))
    if user is None and not email:
        raise ValueError("audit_details_erase needs an organisation, a user or an e-mail address")
    if organisation is not None:
        rows = rows.filter(organisation=organisation)
    condition = Q(pk=None)
    if user is not None:
        condition |= Q(entry__actor=user) | Q(entry__target=str(user))
    if email:
        condition |= Q(content__icontains=canonical(email).decode()[1:-1])
    mentions = re.compile(rf"(?<![\w.+-]){re.escape(email)}(?![\w-]|\.\w)", re.IGNORECASE) if email else None

    def concerns(row: AuditDetail) -> bool:
        if user is not None and (row.entry.actor == user or row.entry.target == str(user)):
            return True
        return mentions is not None and any(mentions.search(value) for value in _texts(row.content))

    return _blank((row, _others(row, user, email)) for row in _paged(rows.filter(condition)) if concerns(row))


def audit_erasures_seal(*, organisation: UUID | None) -> int:
    """Seal erased details anew after a change of the secret key, and return their number."""
    rows = AuditDetail.objects.filter(organisation=organisation, content__erased=True).select_related("entry")
    unsealed = (row for row in _paged(rows.order_by("entry_id")) if not is_erased(row.entry, row.content))
    return _blank((row, row.content.get("others", ())) for row in unsealed)


def _others(row: AuditDetail, user: UUID | None, email: str) -> list[str]:
    """Return the sides of an entry, `actor` and `target`, that are somebody else than the erased person."""
    sides = {"actor": str(row.entry.actor or ""), "target": row.entry.target}
    names = {side: str(row.content.get(side, "")).lower() for side in sides}
    left = row.content.get("others", sides)
    return [side for side in left if sides[side] and sides[side] != str(user) and names[side] != email.lower()]


def _paged(rows: QuerySet[AuditDetail]) -> Iterator[AuditDetail]:
    """Yield rows in the order of their entries, page by page: a trail may be long, and rows change meanwhile."""
    page = list(rows[:ERASED_AT_ONCE])
    while page:
        yield from page
        page = list(rows.filter(entry_id__gt=page[-1].pk)[:ERASED_AT_ONCE])


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _blank(rows: Iterable[tuple[AuditDetail, Sequence[str]]]) -> int:
    count = 0
    for row, others in rows:
        AuditDetail.objects.filter(pk=row.pk).update(content=erased_content(row.entry, others=others))
        count += 1
    return count


def _append(entry: AuditEntry, content: dict[str, Any]) -> None:
    """Lock the chain's head, link the entry to it, and move the head."""
    organisation = entry.organisation_id
    with connection.cursor() as cursor:
        head = _head_locked(cursor, organisation)
        _, number, last, seal = head
        sealed = not number or head_is_sealed(organisation=organisation, number=number, hash=last, seal=seal)
        if not sealed:
            newest = AuditEntry.objects.filter(organisation=organisation).order_by("-number").first()
            head = (head[0], newest.number, newest.hash, "") if newest is not None else (head[0], 0, "", "")
            # The next seal would hide the fault of this one, so the chain records it.
            note = {"salt": secrets.token_hex(16), "actor": "", "address": "", "target": ""}
            broken = AuditEntry(
                organisation_id=organisation,
                action=SEAL_BROKEN,
                target=str(number),
                actor_kind="system",
                detail_hash=detail_hash(note),
            )
            head = _write(cursor, broken, note, head)
        _write(cursor, entry, content, head)


def _head_locked(cursor: Any, organisation: UUID | None) -> tuple[UUID, int, str, str]:
    lock = _LOCK.format("IS NULL" if organisation is None else "= %s")
    values = [] if organisation is None else [organisation]
    cursor.execute(lock, values)
    row = cursor.fetchone()
    if row is None:
        # Entries without a head: it was removed, which the missing seal shows.
        newest = AuditEntry.objects.filter(organisation=organisation).order_by("-number").first()
        fields = {} if newest is None else {"number": newest.number, "hash": newest.hash}
        AuditHead.objects.bulk_create([AuditHead(organisation_id=organisation, **fields)], ignore_conflicts=True)
        cursor.execute(lock, values)
        row = cursor.fetchone()
    head: tuple[UUID, int, str, str] = row
    return head


def _write(
    cursor: Any, entry: AuditEntry, content: dict[str, Any], head: tuple[UUID, int, str, str]
) -> tuple[UUID, int, str, str]:
    entry.id, entry.at = new_id(), timezone.now()
    entry.number, entry.previous = head[1] + 1, head[2]
    entry.hash = entry_hash(entry)
    seal = head_seal(organisation=entry.organisation_id, number=entry.number, hash=entry.hash)
    columns = {field.attname: getattr(entry, field.attname) for field in AuditEntry._meta.fields}
    cursor.execute(_WRITE, {**columns, "content": Jsonb(content), "seal": seal, "head": head[0]})
    return head[0], entry.number, entry.hash, seal
