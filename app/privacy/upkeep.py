"""What a worker process, or the beat where there is one, does beside jobs: exports, erasures, nightly retention.

A thread of its own, so that a long export takes no thread from ingest. Woken by PostgreSQL, and by the clock where
that was missed.
"""

import logging
import threading
import time
from typing import Any

import psycopg
from django.db import connection

from app.lib.tenancy import scope_enter_everything
from app.privacy.duties import CHANNEL
from app.privacy.erasing import erasure_run_next
from app.privacy.exporting import export_run_next
from app.privacy.retention import retention_due, retention_run

log = logging.getLogger(__name__)

POLL_S = 10.0
RETENTION_EVERY_S = 300.0
RECONNECT_S = 2.0


class Upkeep:
    def __init__(self) -> None:
        self._ended = threading.Event()
        self._retention_at = 0.0
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is under way is not waited for: another worker begins it anew when its lease has run out."""
        self._ended.set()

    def lives(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        scope_enter_everything()
        while not self._ended.is_set():
            try:
                with psycopg.connect(**listener_parameters()) as listener:
                    listener.execute(f"LISTEN {CHANNEL}")
                    self._serve(listener)
            except psycopg.Error as error:
                log.warning("upkeep: the database does not answer: %s", type(error).__name__)
            except Exception as error:  # the boundary of a thread that must not end
                log.warning("upkeep: %s", type(error).__name__)
            finally:
                connection.close()
            self._ended.wait(RECONNECT_S)

    def _serve(self, listener: "psycopg.Connection[tuple[Any, ...]]") -> None:
        while not self._ended.is_set():
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
