"""Count and clear stores outside PostgreSQL: vectors, files, page pictures, Valkey. Each step can be repeated."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.core.cache import cache

from app.accounts.lockout import attempts_names
from app.chat.models import Message
from app.errors import Upstream
from app.lib.storage import Storage, exports_storage, storage
from app.library.page_previews import pictures_forget, pictures_of
from app.retrieval.index_loader import index_sweep

ANSWER_S = 10.0
SCAN = 1000
_TURN = b"refdesk:turn:"

Counts = dict[str, int]


def organisation_stores_count(organisation: UUID) -> dict[str, Counts]:
    return {
        "vectors": {"points": index_sweep().count(organisation=str(organisation))},
        "files": {
            "documents": _objects(storage(), organisation),
            "exports": _objects(exports_storage(), organisation),
            "page_pictures": len(pictures_of(_hashes(organisation))),
        },
    }


def organisation_stores_clear(organisation: UUID) -> None:
    """Clear the stores: pictures before files, whose names say which pictures there are."""
    pictures_forget(_hashes(organisation))
    storage().organisation_clear(organisation)
    exports_storage().organisation_clear(organisation)
    index_sweep().delete(organisation=str(organisation))


def _objects(store: Storage, organisation: UUID) -> int:
    return sum(1 for _ in store.objects(organisation=organisation))


def _hashes(organisation: UUID) -> set[str]:
    return {stored.key.rpartition("/")[2] for stored in storage().objects(organisation=organisation)}


def valkey_names(ids: Iterable[str], *, messages: Iterable[UUID] = ()) -> list[bytes]:
    """Return names of keys that hold one of the ids, events of these answers, and events of answers that are gone."""
    wanted = [each.encode() for each in ids]
    known = {str(each).encode() for each in messages}
    found: list[bytes] = []
    turns: dict[bytes, list[bytes]] = {}
    for name in _client().scan_iter(count=SCAN):
        if name.startswith(_TURN):
            turns.setdefault(name[len(_TURN) :].partition(b":")[0], []).append(name)
        if any(each in name for each in wanted):
            found.append(name)
    for message in _gone(set(turns)) | (known & set(turns)):
        found += turns[message]
    return list(dict.fromkeys(found))


def _gone(messages: set[bytes]) -> set[bytes]:
    ids = {}
    for each in messages:
        try:
            ids[UUID(each.decode())] = each
        except ValueError:
            continue
    there = set(Message.objects.filter(pk__in=list(ids)).values_list("pk", flat=True)) if ids else set()
    return {text for pk, text in ids.items() if pk not in there}


def valkey_clear(names: list[bytes]) -> None:
    """Delete keys of Valkey. Raises Upstream."""
    for first in range(0, len(names), SCAN):
        _client().delete(*names[first : first + SCAN])


def attempts_count(people: list[dict[str, Any]]) -> int:
    return sum(len(cache.get_many(_attempts(person))) for person in people)


def attempts_clear(people: list[dict[str, Any]]) -> None:
    for person in people:
        cache.delete_many(_attempts(person))


def _attempts(person: dict[str, Any]) -> list[str]:
    return attempts_names(email=person["email"], addresses=person["addresses"])


def valkey_trouble(error: Exception) -> Upstream:
    return Upstream("cache_unavailable", details={"reason": type(error).__name__})


def _client() -> "redis.Redis":
    return redis.Redis.from_url(settings.VALKEY_URL, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)
