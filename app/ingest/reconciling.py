"""The reconciler's clock: at the start and every ten minutes, in a thread of its own."""

import logging
import threading

from django.db import connection

from app.ingest.reconciler import reconcile
from app.lib.tenancy import everything_visible

log = logging.getLogger(__name__)

RECONCILE_S = 600.0


class Reconciling:
    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is under way is not waited for: every repair is one transaction."""
        self._ended.set()

    def lives(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with everything_visible():
                    reconcile(repair=True)
            except Exception as error:  # the boundary of a thread that must not end
                log.warning("reconciler: %s: %s", type(error).__name__, error)
            finally:
                connection.close()
            self._ended.wait(RECONCILE_S)
