"""The hash chain of an organisation's audit entries, and the seal on the newest entry."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from app.audit.models import AuditEntry

VERSION = "refdesk-audit-1"
_HEAD, _ERASED = "app.audit.head", "app.audit.erased"


def canonical(value: Any) -> bytes:
    """Encode a JSON value in its only form: keys in order, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def detail_hash(content: dict[str, Any]) -> str:
    """Return the hash of a detail. Its random salt keeps erased content from being guessed from the hash."""
    return hashlib.sha256(canonical(content)).hexdigest()


def entry_hash(entry: AuditEntry) -> str:
    """Return the hash over every column except the hash itself."""
    columns = [
        VERSION,
        str(entry.id),
        _text(entry.organisation_id),
        entry.number,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.action,
        entry.target_kind,
        entry.target,
        entry.actor_kind,
        _text(entry.actor),
        entry.detail_hash,
        entry.previous,
    ]
    return hashlib.sha256(canonical(columns)).hexdigest()


def head_seal(*, organisation: UUID | None, number: int, hash: str) -> str:
    """Return a seal made with the box's secret key: write access to the database alone cannot seal a shorter chain."""
    return _seal(_HEAD, f"{_text(organisation)}|{number}|{hash}", settings.SECRET_KEY)


def head_is_sealed(*, organisation: UUID | None, number: int, hash: str, seal: str) -> bool:
    return _is_sealed(_HEAD, f"{_text(organisation)}|{number}|{hash}", seal)


def erased_content(entry: AuditEntry, *, others: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of an erased detail, sealed: write access to the database alone cannot make it.

    others: `actor`, `target`, where that is not who was erased, so that their present name may be shown.
    """
    content: dict[str, Any] = {"erased": True, **({"others": sorted(others)} if others else {})}
    return {**content, "seal": _seal(_ERASED, _erased_text(entry, content), settings.SECRET_KEY)}


def is_erased(entry: AuditEntry, content: Any) -> bool:
    if not isinstance(content, dict) or content.get("erased") is not True:
        return False
    if content.keys() - {"others"} != {"erased", "seal"}:
        return False
    return _is_sealed(_ERASED, _erased_text(entry, content), str(content["seal"]))


def _erased_text(entry: AuditEntry, content: dict[str, Any]) -> str:
    others = f"|{','.join(map(str, content['others']))}" if content.get("others") else ""
    return f"{entry.id}|{entry.detail_hash}{others}"


def _seal(salt: str, value: str, secret: str | bytes) -> str:
    return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()


def _is_sealed(salt: str, value: str, seal: str) -> bool:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(hmac.compare_digest(_seal(salt, value, key).encode(), seal.encode()) for key in keys)


def _text(value: UUID | None) -> str:
    return "" if value is None else str(value)
