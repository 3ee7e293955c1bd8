"""What a worker process, or the beat where there is one, does beside jobs: exports, erasures, nightly retention.

A thread of its own, so that a long export takes no thread from ingest. Woken by PostgreSQL, and by the clock where
that was missed.
"""

import time
from typing import Any

import psycopg
from django.db import connection

from app.lib.periodic_thread import Rounds
from app.privacy.duties import CHANNEL
from app.privacy.erasure.run import erasure_run_next
from app.privacy.exports.run import export_run_next
from app.privacy.retention.run import retention_due, retention_run

POLL_S = 10.0
RETENTION_EVERY_S = 300.0
RECONNECT_S = 2.0


class Upkeep(Rounds):
    """Stopped in the middle, another worker begins its work anew when the lease has run out."""

    name = "upkeep"
    pause_s = RECONNECT_S

    def __init__(self) -> None:
        super().__init__()
        self._retention_at = 0.0

    def round(self) -> None:
        """As long as PostgreSQL listens to us."""
        with psycopg.connect(**listener_parameters()) as listener:
            listener.execute(f"LISTEN {CHANNEL}")
            self._serve(listener)

    def _serve(self, listener: "psycopg.Connection[tuple[Any, ...]]") -> None:
        while not self.ended.is_set():
            work_do_all()
            self._retention()
            connection.close()
            # Ends at the first notice; what comes while we work is read at once by the next round.
            for _ in listener.notifies(timeout=POLL_S, stop_after=1):
                pass

    def _retention(self) -> None:
        if time.monotonic() < self._retention_at:
            return
        self._retention_at = time.monotonic() + RETENTION_EVERY_S
        if retention_due():
            retention_run()


def work_do_all() -> None:
    """Every export and erasure that waits, one after the other."""
    while erasure_run_next() or export_run_next():
        pass


def listener_parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    own = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    return {**own, "autocommit": True}
