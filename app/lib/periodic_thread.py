"""A thread that does one thing again and again for as long as its process lives."""

import logging
import threading

from django.db import connection

from app.lib.error_reports import error_report
from app.lib.tenancy import scope_enter_everything

log = logging.getLogger(__name__)


class Rounds:
    """Derived from, with a `name`, how long it pauses (seconds) and what a `round` is. Sees every organisation."""

    name: str
    pause_s: float

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No further round begins. What is under way is not waited for."""
        self.ended.set()

    def lives(self) -> bool:
        return self._thread.is_alive()

    def round(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        scope_enter_everything()
        while not self.ended.is_set():
            try:
                self.round()
            except Exception as error:  # the boundary of a thread that must not end
                # Its text may hold a document's words: the kind says enough.
                log.warning("%s: %s", self.name, type(error).__name__)
                error_report(error)
            finally:
                connection.close()
            self.ended.wait(self.pause_s)
