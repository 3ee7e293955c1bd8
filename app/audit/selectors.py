"""Reading of the audit trail: filters, the API's payload and CSV."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q, QuerySet

from app.audit.actors import PERSON, present_label
from app.audit.models import AuditEntry
from app.lib.csv_table import csv_table
from app.lib.times import time_text

# fmt: off
COLUMNS = (
    "number", "at", "action", "actor_kind", "actor", "actor_name", "address",
    "target_kind", "target", "target_name", "before", "after", "erased",
)
# fmt: on


def audit_list(
    *,
    organisation: UUID,
    action: str = "",
    actor: str = "",
    target: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Return entries of an organisation.

    action: one ("bot.update") or all of a kind ("bot"). actor, target: an id, or the e-mail address or name at that
    time. since is included, until is not.
    """
    rows = AuditEntry.objects.filter(organisation=organisation).select_related("detail")
    if action:
        rows = rows.filter(Q(action=action) | Q(action__startswith=f"{action}."))
    if actor:
        rows = rows.filter(_id_or_name(actor, "actor", "detail__content__actor"))
    if target:
        rows = rows.filter(Q(target=target) | Q(detail__content__target__iexact=target))
    if since is not None:
        rows = rows.filter(at__gte=_aware(since))
    if until is not None:
        rows = rows.filter(at__lt=_aware(until))
    return rows


def _id_or_name(value: str, by_id: str, by_name: str) -> Q:
    match = Q(**{f"{by_name}__iexact": value})
    try:
        return match | Q(**{by_id: UUID(value)})
    except ValueError:
        return match


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def actor_name(entry: AuditEntry) -> str:
    """Return the actor's name as it was then; of an erased entry, the present name of an actor who is still here."""
    content = entry.detail.content
    if not content.get("erased"):
        return str(content.get("actor") or "")
    if "actor" not in content.get("others", ()):
        return ""
    return present_label(entry.actor_kind, entry.actor, entry.organisation_id)


def target_name(entry: AuditEntry) -> str:
    """Return the target's name as it was then; of an erased entry, that of a person who is still here."""
    content = entry.detail.content
    if not content.get("erased"):
        return str(content.get("target") or "")
    if "target" not in content.get("others", ()):
        return ""
    try:
        person = UUID(entry.target) if entry.target_kind == "user" else None
    except ValueError:
        person = None
    return present_label(PERSON, person, entry.organisation_id)


def audit_payload(entry: AuditEntry) -> dict[str, Any]:
    content = entry.detail.content
    return {
        "id": str(entry.id),
        "number": entry.number,
        "at": time_text(entry.at),
        "action": entry.action,
        "actor": {
            "kind": entry.actor_kind,
            "id": str(entry.actor) if entry.actor else None,
            "name": actor_name(entry) or None,
            "address": content.get("address") or None,
        },
        "target": {
            "kind": entry.target_kind or None,
            "id": entry.target or None,
            "name": target_name(entry) or None,
        },
        "before": content.get("before"),
        "after": content.get("after"),
        "erased": bool(content.get("erased")),
    }


def audit_csv(entries: Iterable[AuditEntry]) -> bytes:
    rows = []
    for entry in entries:
        payload = audit_payload(entry)
        actor, target = payload["actor"], payload["target"]
        cells = [payload["number"], payload["at"], payload["action"]]
        cells += [actor["kind"], actor["id"], actor["name"], actor["address"]]
        cells += [target["kind"], target["id"], target["name"]]
        cells += [_json(payload["before"]), _json(payload["after"]), "yes" if payload["erased"] else ""]
        rows.append(cells)
    return csv_table(COLUMNS, rows)


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
