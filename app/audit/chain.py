"""The hashes that tie an organisation's audit entries together, and the seal on the newest."""

import hashlib
import hmac
import json
from datetime import UTC
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from app.audit.models import AuditEntry

VERSION = "refdesk-audit-1"
_HEAD, _ERASED = "app.audit.head", "app.audit.erased"


def canonical(value: Any) -> bytes:
    """One spelling of a JSON value: keys in order, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def detail_hash(content: dict[str, Any]) -> str:
    """The content holds a random salt, so what was erased cannot be guessed from this."""
    return hashlib.sha256(canonical(content)).hexdigest()


def entry_hash(entry: AuditEntry) -> str:
    """Over every column but the hash itself."""
    bones = [
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
    return hashlib.sha256(canonical(bones)).hexdigest()


def head_seal(*, organisation: UUID | None, number: int, hash: str) -> str:
    """Made with the box's secret key: who can write to the database only cannot make one for a shorter chain."""
    return _sealed(_HEAD, f"{_text(organisation)}|{number}|{hash}", settings.SECRET_KEY)


def head_is_sealed(*, organisation: UUID | None, number: int, hash: str, seal: str) -> bool:
    return _is_sealed(_HEAD, f"{_text(organisation)}|{number}|{hash}", seal)


def erased_content(entry: AuditEntry) -> dict[str, Any]:
    """What stands where a detail was: that it was erased by us, not by somebody with access to the database only."""
    return {"erased": True, "seal": _sealed(_ERASED, f"{entry.id}|{entry.detail_hash}", settings.SECRET_KEY)}


def is_erased(entry: AuditEntry, content: Any) -> bool:
    if not isinstance(content, dict) or content.get("erased") is not True or content.keys() != {"erased", "seal"}:
        return False
    return _is_sealed(_ERASED, f"{entry.id}|{entry.detail_hash}", str(content["seal"]))


def _sealed(salt: str, value: str, secret: str | bytes) -> str:
    return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()


def _is_sealed(salt: str, value: str, seal: str) -> bool:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(hmac.compare_digest(_sealed(salt, value, key).encode(), seal.encode()) for key in keys)


def _text(value: UUID | None) -> str:
    return "" if value is None else str(value)
