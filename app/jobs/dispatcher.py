"""Send the ids of free jobs through the broker: on PostgreSQL's notifications, and by a poll in case one was missed.

Only a few jobs of a kind are in flight at a time, so that the broker cannot lose many, and so that a job of one
organisation never waits behind thousands of another: the next job is from the organisation with the fewest in flight
of that kind, its lightest job first. Kinds do not share their windows, so that none waits for another.
"""

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection as django_connection

from app.jobs.leases import CHANNEL, STOP
from app.jobs.registry import RegisteredKind, kinds_all
from app.lib.advisory_lock import WORKERS
from app.lib.heartbeat_file import heartbeat_touch
from app.lib.tenancy import EVERYTHING, SETTING

log = logging.getLogger(__name__)

POLL_S = 5.0
# After this time an untaken message counts as lost and is sent again; a duplicate does no harm.
RESEND_S = 20
# Minimum interval of rounds, so that thousands of small files need few of them.
ROUND_S = 0.05
RECONNECT_S = 2.0

# pairs: kinds and organisations with queued jobs, found by skipping along the index, however many jobs there are.
# Under row security an index serves only leak-proof comparisons: equality of text, any comparison of ids.
_NEXT = """
WITH RECURSIVE kinds AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(windows)s::int[], %(shares)s::int[]) AS k (kind, room, share)
), pairs (kind, tenant) AS (
    SELECT k.kind, first.tenant FROM kinds k CROSS JOIN LATERAL (
        SELECT tenant FROM jobs_job
        WHERE state = 'queued' AND kind = k.kind ORDER BY tenant LIMIT 1
    ) first
    UNION ALL
    SELECT p.kind, next.tenant FROM pairs p CROSS JOIN LATERAL (
        SELECT tenant FROM jobs_job
        WHERE state = 'queued' AND kind = p.kind AND tenant > p.tenant
        ORDER BY tenant LIMIT 1
    ) next
), flight AS (
    SELECT kind, tenant, count(*) AS jobs FROM jobs_job
    WHERE sent IS NOT NULL AND state IN ('queued', 'running')
      AND (sent > now() - %(resend)s * interval '1 second' OR (state = 'running' AND lease_until > now()))
    GROUP BY 1, 2
), free AS (
    SELECT k.kind, lane.id, lane.rank + coalesce(f.jobs, 0) AS turn, lane.priority, lane.weight
    FROM pairs p JOIN kinds k ON k.kind = p.kind LEFT JOIN flight f ON f.kind = p.kind AND f.tenant = p.tenant
    CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.weight, row_number() OVER (ORDER BY j.priority, j.weight, j.id) AS rank
        FROM jobs_job j
        WHERE j.kind = p.kind AND j.tenant = p.tenant AND j.state = 'queued'
          AND (j.not_before IS NULL OR j.not_before <= now())
          AND (j.sent IS NULL OR j.sent < now() - %(resend)s * interval '1 second')
        ORDER BY j.priority, j.weight, j.id LIMIT least(k.room, k.share - coalesce(f.jobs, 0))
    ) lane
    UNION ALL
    SELECT kind, id, 0, priority, weight FROM jobs_job
    WHERE state = 'running' AND lease_until < now()
      AND (sent IS NULL OR sent < now() - %(resend)s * interval '1 second')
), chosen AS (
    SELECT ranked.id FROM (
        SELECT kind, id, row_number() OVER (PARTITION BY kind ORDER BY turn, priority, weight, id) AS rank FROM free
    ) ranked JOIN kinds k ON k.kind = ranked.kind
    WHERE rank <= k.room - (SELECT coalesce(sum(jobs), 0) FROM flight f WHERE f.kind = k.kind)
), locked AS (
    SELECT id FROM jobs_job WHERE id IN (SELECT id FROM chosen)
      AND (sent IS NULL OR sent < now() - %(resend)s * interval '1 second')
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs_job SET sent = now() WHERE id IN (SELECT id FROM locked) RETURNING id, kind, lane, priority, weight
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to the broker about a job."""

    job: UUID
    kind: str
    lane: str


Connection = psycopg.Connection[tuple[Any, ...]]


def jobs_next(connection: Connection, *, kinds: Iterable[RegisteredKind], workers: int = 1) -> list[Message]:
    """Mark the next jobs as sent, and return them; light ones first."""
    known = list(kinds)
    windows = [kind.window * workers for kind in known]
    shares = [
        window if kind.per_organisation is None else kind.per_organisation
        for kind, window in zip(known, windows, strict=True)
    ]
    values = {"kinds": [kind.kind for kind in known], "windows": windows, "shares": shares, "resend": RESEND_S}
    rows = connection.execute(_NEXT, values).fetchall()
    rows.sort(key=lambda row: (row[3], row[4], row[0]))
    return [Message(row[0], row[1], row[2]) for row in rows]


def due_s(connection: Connection) -> float:
    """Return the seconds to wait: until the next delayed job is due, at most the poll."""
    row = connection.execute(
        "SELECT extract(epoch FROM min(not_before) - now()) FROM jobs_job"
        " WHERE state = 'queued' AND not_before IS NOT NULL AND not_before > now()"
    ).fetchone()
    return POLL_S if row is None or row[0] is None else min(POLL_S, max(ROUND_S, float(row[0])))


def connection_parameters() -> dict[str, Any]:
    """Return the parameters of a database connection outside Django's pool."""
    parameters = django_connection.get_connection_params()
    own = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    # The same statement repeatedly: planning it costs more than executing it.
    return {**own, "autocommit": True, "prepare_threshold": 1}


class Dispatcher:
    """A thread that sends jobs. send: puts a job's id on the broker. on_stop: stops a job that may run here."""

    def __init__(self, *, send: Callable[[Message], None], on_stop: Callable[[UUID], None]) -> None:
        self._send, self._on_stop = send, on_stop
        self._ended = False
        self._workers, self._counted = 1, 0.0
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Start a round now, because a job has ended."""
        # A full pipe wakes the thread as well as another byte would.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._write, b"w")

    def stop(self) -> None:
        self._ended = True
        self.wake()

    def _run(self) -> None:
        while not self._ended:
            # Also without the database: its failure is not this process's.
            heartbeat_touch()
            try:
                with psycopg.connect(**connection_parameters()) as connection:
                    _prepare(connection)
                    self._serve(connection)
            except psycopg.Error as error:
                log.warning("dispatcher: the database does not answer: %s", type(error).__name__)
                time.sleep(RECONNECT_S)
            except Exception:  # the boundary of a thread that must not end
                log.exception("dispatcher")
                time.sleep(RECONNECT_S)

    def _serve(self, connection: Connection) -> None:
        self._counted = 0.0
        while not self._ended:
            heartbeat_touch()
            self._workers_count(connection)
            messages = jobs_next(connection, kinds=kinds_all(), workers=self._workers)
            self._send_all(messages)
            begun = time.monotonic()
            self._wait(connection, POLL_S if messages else due_s(connection))
            rest = ROUND_S - (time.monotonic() - begun)
            if rest > 0:
                time.sleep(rest)

    def _workers_count(self, connection: Connection) -> None:
        """Count the live workers from time to time: each has capacity for its own jobs."""
        if time.monotonic() - self._counted < POLL_S and self._counted:
            return
        self._counted = time.monotonic()
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (classid::bigint << 32) + objid::bigint = %s",
            [WORKERS],
        ).fetchone()
        self._workers = max(1, row[0] if row else 1)

    def _send_all(self, messages: list[Message]) -> None:
        try:
            for message in messages:
                self._send(message)
        except Exception as error:  # any error of the broker's client: unsent messages are sent again later
            log.warning("dispatcher: the broker does not answer: %s", type(error).__name__)
            time.sleep(RECONNECT_S)

    def _wait(self, connection: Connection, limit_s: float) -> None:
        """Wait for a notification, the end of a job or the limit. Jobs to stop are stopped at once."""
        deadline = time.monotonic() + limit_s
        woken = False
        while not self._ended:
            # First, because a notification that came with a query's answer does not make the connection readable.
            for notice in connection.notifies(timeout=0):
                if notice.payload.startswith(STOP):
                    self._on_stop(UUID(notice.payload.removeprefix(STOP).strip()))
                else:
                    woken = True
            left = deadline - time.monotonic()
            if woken or left <= 0:
                return
            ready, _, _ = select.select([connection.fileno(), self._read], [], [], left)
            if self._read in ready:
                os.read(self._read, 4096)
                woken = True


def _prepare(connection: Connection) -> None:
    connection.execute(f"SET {SETTING} = '{EVERYTHING}'")
    # A plan made while the table was empty would go on reading all of it once it is full.
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET enable_bitmapscan = off")
    connection.execute("SELECT pg_advisory_lock_shared(%s)", [WORKERS])
    connection.execute(f"LISTEN {CHANNEL}")
