"""Limit an organisation's simultaneous waits for other servers: each holds a thread, some also a connection."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.errors import RefdeskError

AT_ONCE = 2
RETRY_S = 10.0

_lock = threading.Lock()
_waiting: Counter[UUID | None] = Counter()


@contextmanager
def one_of_few(organisation: UUID | None) -> Iterator[None]:
    """Count this wait for a server against the organisation's limit.

    Raises:
        RefdeskError: too_many_requests with retry_after_s, when the limit is reached.
    """
    with _lock:
        if _waiting[organisation] >= AT_ONCE:
            raise RefdeskError("too_many_requests", "Model servers are being asked already.", retry_after_s=RETRY_S)
        _waiting[organisation] += 1
    try:
        yield
    finally:
        with _lock:
            _waiting[organisation] -= 1
            if not _waiting[organisation]:
                del _waiting[organisation]
