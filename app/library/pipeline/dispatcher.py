"""Sends the ids of free jobs through the broker: woken by PostgreSQL, and by the clock where that was missed.

Only a few are on their way at a time, so that the broker never holds what it could lose much of, and so that a file of
one organisation never waits behind thousands of another: the next to go is from the organisation with the fewest in
flight, its smallest file first.
"""

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection as django_connection

from app.lib.heartbeat_file import alive_touch
from app.lib.tenancy import EVERYTHING, SETTING
from app.library.pipeline.jobs import CHANNEL, STOP

log = logging.getLogger(__name__)

POLL_S = 5.0
# In flight: sent and not ended. Three for each thread of a worker keep it busy between two rounds.
WINDOW = 12
# A message that nobody took for so long is taken for lost and sent again; a second one does no harm.
RESEND_S = 20
# Rounds are this far apart at least, so that thousands of small files cost few of them.
ROUND_S = 0.05
RECONNECT_S = 2.0

_NEXT = """
WITH flight AS (
    SELECT organisation_id, count(*) AS jobs FROM library_job
    WHERE sent IS NOT NULL AND state IN ('queued', 'running')
      AND (sent > now() - %(resend)s * interval '1 second' OR (state = 'running' AND lease_until > now()))
    GROUP BY organisation_id
), lanes AS (
    SELECT o.id AS organisation_id, lane.id, lane.rank + coalesce(f.jobs, 0) AS turn, lane.bytes
    FROM accounts_organisation o
    LEFT JOIN flight f ON f.organisation_id = o.id
    CROSS JOIN LATERAL (
        SELECT j.id, j.bytes, row_number() OVER (ORDER BY j.bytes, j.id) AS rank FROM library_job j
        WHERE j.organisation_id = o.id AND j.state = 'queued'
          AND (j.not_before IS NULL OR j.not_before <= now())
          AND (j.sent IS NULL OR j.sent < now() - %(resend)s * interval '1 second')
        ORDER BY j.bytes, j.id LIMIT %(window)s
    ) lane
), dead AS (
    SELECT organisation_id, id, 0 AS turn, bytes FROM library_job
    WHERE state = 'running' AND lease_until < now()
      AND (sent IS NULL OR sent < now() - %(resend)s * interval '1 second')
), chosen AS (
    SELECT id FROM (SELECT * FROM lanes UNION ALL SELECT organisation_id, id, turn, bytes FROM dead) AS free
    ORDER BY turn, bytes, id LIMIT greatest(0, %(window)s - (SELECT coalesce(sum(jobs), 0) FROM flight))
), locked AS (
    SELECT id, bytes FROM library_job
    WHERE id IN (SELECT id FROM chosen) AND (sent IS NULL OR sent < now() - %(resend)s * interval '1 second')
    FOR UPDATE SKIP LOCKED
)
UPDATE library_job SET sent = now() WHERE id IN (SELECT id FROM locked) RETURNING id, bytes
"""


def jobs_next(connection: "psycopg.Connection[tuple[Any, ...]]") -> list[UUID]:
    """Mark the next jobs as sent; small files first."""
    rows = connection.execute(_NEXT, {"resend": RESEND_S, "window": WINDOW}).fetchall()
    return [row[0] for row in sorted(rows, key=lambda row: int(row[1]))]


class Dispatcher:
    """A thread. send: puts one job's id on the broker. on_stop: a job that this process may hold must stop."""

    def __init__(self, *, send: Callable[[UUID], None], on_stop: Callable[[UUID], None]) -> None:
        self._send, self._on_stop = send, on_stop
        self._ended = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for jobs now: one has ended."""
        # A full pipe wakes as well as one more byte would.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._write, b"w")

    def stop(self) -> None:
        self._ended = True
        self.wake()

    def _run(self) -> None:
        while not self._ended:
            # Without the database too: this process is not what is broken then.
            alive_touch()
            try:
                with psycopg.connect(**self._parameters()) as connection:
                    connection.execute(f"SET {SETTING} = '{EVERYTHING}'")
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._serve(connection)
            except psycopg.Error as error:
                log.warning("dispatcher: the database does not answer: %s", type(error).__name__)
                time.sleep(RECONNECT_S)
            except Exception:  # the boundary of a thread that must not end
                log.exception("dispatcher")
                time.sleep(RECONNECT_S)

    def _parameters(self) -> dict[str, Any]:
        parameters = django_connection.get_connection_params()
        own = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
        # One statement again and again: planning it costs more than carrying it out.
        return {**own, "autocommit": True, "prepare_threshold": 1}

    def _serve(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        while not self._ended:
            alive_touch()
            self._send_all(jobs_next(connection))
            begun = time.monotonic()
            self._wait(connection)
            rest = ROUND_S - (time.monotonic() - begun)
            if rest > 0:
                time.sleep(rest)

    def _send_all(self, jobs: list[UUID]) -> None:
        try:
            for job in jobs:
                self._send(job)
        except Exception as error:  # whatever the broker's client raises: what was not sent is sent again later
            log.warning("dispatcher: the broker does not answer: %s", type(error).__name__)
            time.sleep(RECONNECT_S)

    def _wait(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        """Until there is news, a job has ended, or the poll is due. Jobs to stop are stopped at once."""
        deadline = time.monotonic() + POLL_S
        woken = False
        while not woken and not self._ended and (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([connection.fileno(), self._read], [], [], left)
            if self._read in ready:
                os.read(self._read, 4096)
                woken = True
            for notice in connection.notifies(timeout=0):
                if notice.payload.startswith(STOP):
                    self._on_stop(UUID(notice.payload.removeprefix(STOP).strip()))
                else:
                    woken = True
