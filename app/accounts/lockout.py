"""Slows down guessing of passwords. The counters are in Valkey; without it each process counts for itself.

Three counts in 15 minutes, each taken before the password is looked at:

- an account from one network address: after 5 wrong ones that address rests. Others are not kept out by it.
- an account from everywhere: after 20 wrong ones it takes one try in 10 seconds, whoever tries. So many addresses
  guess together 9,000 times a day at most, and a stranger can slow a person down, not lock them out.
- a network address (of IPv6 its /64, which one host has whole): after 100 wrong ones it rests for every account.

A browser in which the person has signed in before has a count of its own instead of the three, so that an attack on
their account is none on them. Its mark is signed, names the account by a hash, and opens nothing by itself.
"""

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from django.core import signing
from django.core.cache import cache
from redis.exceptions import RedisError

from app.plans.rate_limits import address_prefix

ATTEMPTS = 5
ACCOUNT_ATTEMPTS = 20
ADDRESS_ATTEMPTS = 100
WINDOW_S = 15 * 60
SLOW_S = 10
DEVICE_AGE_S = 180 * 24 * 3600
_DEVICE_SALT = "refdesk.device"
_LOCAL_SIZE = 10_000


@dataclass(slots=True)
class _Count:
    until: float
    attempts: int = 0


_local: dict[str, _Count] = {}
_local_lock = Lock()


def _hash(text: str) -> str:
    # Neither addresses nor e-mails stand in the cache.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def count_attempt(name: str, window_s: int) -> int:
    """How many times this name was counted in its window, now included."""
    key = "attempts:" + _hash(name)
    try:
        cache.add(key, 0, timeout=window_s)
        try:
            return int(cache.incr(key))
        except ValueError:  # it ended between the two calls
            return 1
    except (RedisError, OSError):
        return _count_local(key, window_s)


def _count_local(key: str, window_s: int) -> int:
    now = time.monotonic()
    with _local_lock:
        if len(_local) >= _LOCAL_SIZE:
            _local.clear()
        found = _local.get(key)
        if found is None or found.until < now:
            found = _local[key] = _Count(until=now + window_s)
        found.attempts += 1
        return found.attempts


def _uncount(name: str, *, whole: bool) -> None:
    """Take one attempt back, or all of them."""
    key = "attempts:" + _hash(name)
    with _local_lock:
        found = _local.pop(key, None)
        if found is not None and not whole and found.attempts > 1:
            _local[key] = _Count(found.until, found.attempts - 1)
    try:
        if whole:
            cache.delete(key)
        else:
            cache.decr(key)
    except (RedisError, OSError, ValueError):
        return


def _generation_name(email: str) -> str:
    return "sign-in-generation:" + _hash(email)


def _generation(email: str) -> int:
    try:
        return int(cache.get(_generation_name(email), 0))
    except (RedisError, OSError):
        return 0


def _names(email: str, address: str, device: str) -> list[tuple[str, int]]:
    """What an attempt counts for, and how many each may have."""
    account = f"{email}|{_generation(email)}"
    if device:
        return [(f"device|{account}|{device}", ATTEMPTS)]
    network = address_prefix(address)
    return [
        (f"pair|{account}|{network}", ATTEMPTS),
        (f"network|{network}", ADDRESS_ATTEMPTS),
        (f"account|{account}", ACCOUNT_ATTEMPTS),
    ]


def attempt_wait(*, email: str, address: str, device: str = "") -> int:
    """Count an attempt before the password is looked at, so that attempts at the same time are counted too.

    Seconds to wait before the next one; 0: this one may be made. device: what `device_of` found.
    """
    for name, most in _names(email, address, device):
        attempts = count_attempt(name, WINDOW_S)
        if attempts <= most:
            continue
        if not name.startswith("account|"):
            return WINDOW_S
        # One slot for everybody who tries this account now.
        if count_attempt(f"slot|{name}", SLOW_S) > 1:
            # No password was looked at: waiting for a slot costs nobody their own five.
            _take_back(email, address, device)
            return SLOW_S
    return 0


def _take_back(email: str, address: str, device: str) -> None:
    for name, _ in _names(email, address, device):
        _uncount(name, whole=False)


def attempts_forget(*, email: str, address: str, device: str = "") -> None:
    """After a right password: the person's own count ends; those they share with others lose this attempt."""
    for name, _ in _names(email, address, device):
        _uncount(name, whole=name.startswith(("pair|", "device|")))


def lockout_lift(*, email: str) -> None:
    """Let an account be tried again from everywhere: a new generation of its counters begins."""
    try:
        name = _generation_name(email)
        cache.add(name, 0, timeout=2 * WINDOW_S)
        cache.incr(name)
    except (RedisError, OSError, ValueError):
        return


def device_mark(*, email: str) -> str:
    """What a browser keeps after a right password, for the next time."""
    return signing.dumps([_hash(email), secrets.token_urlsafe(9)], salt=_DEVICE_SALT)


def device_of(*, mark: str, email: str) -> str:
    """The name of a browser in which this person has signed in before; blank for every other one."""
    if not mark:
        return ""
    try:
        account, device = signing.loads(mark, salt=_DEVICE_SALT, max_age=DEVICE_AGE_S)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(device) if account == _hash(email) else ""


def attempts_names(*, email: str, addresses: Iterable[str]) -> list[str]:
    """Keys of the cache that count for a person, whose IPs these are: for their erasure. All are hashes."""
    names = {name for address in ("", *addresses) for name, _ in _names(email, address, "")}
    own = {name for name in names if not name.startswith("network|")}
    own |= {f"slot|{name}" for name in own} | {f"reset-account|{_hash(email)}"}
    return [_generation_name(email), *("attempts:" + _hash(name) for name in sorted(own))]
