"""PostgreSQL's advisory locks, for work that only one process at a time may do. Each number has one use."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

RECONCILER = 7_214_330_101
RETENTION = 7_214_330_102
# Shared by activations of versions; exclusive for a change of the set of indexes.
INDEXES = 7_214_330_103
# A shared lock that every worker holds, so that workers can be counted.
WORKERS = 7_214_330_110


@contextmanager
def lock_try(number: int) -> Iterator[bool]:
    """Try to take a lock for the duration of the `with`, without waiting, and yield whether it was free."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def lock_for_transaction(number: int) -> None:
    """Wait for a lock, and hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def lock_shared_for_transaction(number: int) -> None:
    """Wait for a lock that others may share, and hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [number])
