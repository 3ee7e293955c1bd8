"""Limits the waits for other servers that an organisation has at once: each holds a thread, some a connection too."""

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
    """Wait for a server as one of few of the organisation.

    Raises:
        RefdeskError: too_many_requests with retry_after_s, when as many wait already.
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
