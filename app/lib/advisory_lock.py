"""PostgreSQL's advisory locks, for what one process of all may do at a time. Their numbers, each taken once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

RECONCILER = 7_214_330_101
RETENTION = 7_214_330_102


@contextmanager
def lock_try(number: int) -> Iterator[bool]:
    """Whether nobody else holds it; if so it is ours for as long as the `with` lasts. Never waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        ours = bool(cursor.fetchone()[0])
    try:
        yield ours
    finally:
        if ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def lock_for_transaction(number: int) -> None:
    """Wait for it, and hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
