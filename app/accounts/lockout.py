"""Counts failed sign-ins per address and IP. The counters are in Valkey; without it each process counts for itself."""

import hashlib
import time
from dataclasses import dataclass
from threading import Lock

from django.core.cache import cache
from redis.exceptions import RedisError

ATTEMPTS = 5
WINDOW_S = 15 * 60
_LOCAL_SIZE = 10_000


@dataclass(slots=True)
class _Count:
    until: float
    attempts: int = 0


_local: dict[str, _Count] = {}
_local_lock = Lock()


def _generation_name(email: str) -> str:
    return "sign-in-generation:" + hashlib.sha256(email.encode()).hexdigest()


def _name(email: str, address: str) -> str:
    generation = cache.get(_generation_name(email), 0)
    # Hashed: neither addresses nor e-mails stand in the cache.
    return "sign-in:" + hashlib.sha256(f"{email}|{address}|{generation}".encode()).hexdigest()


def _count_local(email: str, address: str) -> int:
    now = time.monotonic()
    name = f"{email}|{address}"
    with _local_lock:
        if len(_local) >= _LOCAL_SIZE:
            _local.clear()
        found = _local.get(name)
        if found is None or found.until < now:
            found = _local[name] = _Count(until=now + WINDOW_S)
        found.attempts += 1
        return found.attempts


def attempt_allow(*, email: str, address: str) -> bool:
    """Count an attempt before the password is looked at, so that attempts at the same time are counted too."""
    try:
        name = _name(email, address)
        cache.add(name, 0, timeout=WINDOW_S)
        try:
            attempts = cache.incr(name)
        except ValueError:  # it ended between the two calls
            attempts = 1
    except (RedisError, OSError):
        attempts = _count_local(email, address)
    return attempts <= ATTEMPTS


def attempts_forget(*, email: str, address: str) -> None:
    """After a right password."""
    with _local_lock:
        _local.pop(f"{email}|{address}", None)
    try:
        cache.delete(_name(email, address))
    except (RedisError, OSError):
        return


def lockout_lift(*, email: str) -> None:
    """Let an address try again from everywhere: a new generation of counters begins."""
    try:
        name = _generation_name(email)
        cache.add(name, 0, timeout=2 * WINDOW_S)
        cache.incr(name)
    except (RedisError, OSError, ValueError):
        return
