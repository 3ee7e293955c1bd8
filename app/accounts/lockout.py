"""Limits on guessing passwords. The counters are in Valkey; without it each process counts for itself.

Three counts in 15 minutes, each taken before the password is checked:

- an account from one network address: after 5 wrong ones that address waits. Other addresses are not affected.
- an account from all addresses: after 20 wrong ones it allows one attempt in 10 seconds in total. So many addresses
  together make at most 9,000 guesses a day, and a stranger can slow a person down, but not lock them out.
- a network address (for IPv6 its /64, which one host owns): after 100 wrong ones it waits for every account.

A browser in which the person has signed in before has its own count instead of the three, so that an attack on the
account does not slow it down. Its mark is signed, names the account by a hash, and does not sign anybody in.
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
    # The cache contains neither addresses nor e-mails in plain text.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def count_attempt(name: str, window_s: int) -> int:
    """Count this attempt and return how many attempts the name has in its window."""
    key = "attempts:" + _hash(name)
    try:
        cache.add(key, 0, timeout=window_s)
        try:
            return int(cache.incr(key))
        except ValueError:  # the counter expired between the two calls
            return 1
    except (RedisError, OSError):
        return _count_local(key, window_s)


def _count_local(key: str, window_s: int) -> int:
    now = time.monotonic()
    with _local_lock:
        if len(_local) >= _LOCAL_SIZE:
            _local.clear()
        entry = _local.get(key)
        if entry is None or entry.until < now:
            entry = _local[key] = _Count(until=now + window_s)
        entry.attempts += 1
        return entry.attempts


def _uncount(name: str, *, whole: bool) -> None:
    """Remove one attempt from a counter, or all of them."""
    key = "attempts:" + _hash(name)
    with _local_lock:
        entry = _local.pop(key, None)
        if entry is not None and not whole and entry.attempts > 1:
            _local[key] = _Count(entry.until, entry.attempts - 1)
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
    """Return the counters of an attempt, each with its limit."""
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
    """Count an attempt before the password is checked, so that simultaneous attempts are counted too.

    Return the seconds to wait before the next one; 0: this one may be made. device: from `device_read`.
    """
    for name, most in _names(email, address, device):
        attempts = count_attempt(name, WINDOW_S)
        if attempts <= most:
            continue
        if not name.startswith("account|"):
            return WINDOW_S
        # One slot for all attempts at this account.
        if count_attempt(f"slot|{name}", SLOW_S) > 1:
            # No password was checked, so waiting for a slot does not use up the person's own five.
            _take_back(email, address, device)
            return SLOW_S
    return 0


def _take_back(email: str, address: str, device: str) -> None:
    for name, _ in _names(email, address, device):
        _uncount(name, whole=False)


def attempts_forget(*, email: str, address: str, device: str = "") -> None:
    """Reset the person's own count after a right password, and remove this attempt from the shared counts."""
    for name, _ in _names(email, address, device):
        _uncount(name, whole=name.startswith(("pair|", "device|")))


def lockout_lift(*, email: str) -> None:
    """Begin a new generation of an account's counters, which lifts its limits for all addresses."""
    try:
        name = _generation_name(email)
        cache.add(name, 0, timeout=2 * WINDOW_S)
        cache.incr(name)
    except (RedisError, OSError, ValueError):
        return


def device_mark(*, email: str) -> str:
    """Return the mark that a browser stores after a right password, for later sign-ins."""
    return signing.dumps([_hash(email), secrets.token_urlsafe(9)], salt=_DEVICE_SALT)


def device_read(*, mark: str, email: str) -> str:
    """Return the name of a browser in which this person has signed in before; blank for every other browser."""
    if not mark:
        return ""
    try:
        account, device = signing.loads(mark, salt=_DEVICE_SALT, max_age=DEVICE_AGE_S)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(device) if account == _hash(email) else ""


def attempts_names(*, email: str, addresses: Iterable[str]) -> list[str]:
    """Return the cache keys that count for a person with these IPs, for their erasure. All are hashes."""
    names = {name for address in ("", *addresses) for name, _ in _names(email, address, "")}
    names = {name for name in names if not name.startswith("network|")}
    names |= {f"slot|{name}" for name in names} | {f"reset-account|{_hash(email)}"}
    return [_generation_name(email), *("attempts:" + _hash(name) for name in sorted(names))]
