"""A thread that repeats a step for as long as its process lives."""

import logging
import threading

from django.db import connection

from app.lib.tenancy import scope_enter_everything

log = logging.getLogger(__name__)


class PeriodicThread:
    """A base of threads that repeat `run_once`, with a `name` and a pause in seconds. It sees every organisation."""

    name: str
    pause_s: float

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start no further step. A running step is not waited for."""
        self.ended.set()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def run_once(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        scope_enter_everything()
        while not self.ended.is_set():
            try:
                self.run_once()
            except Exception as error:  # the boundary of a thread that must not end
                # Its text may contain a document's text: the class is enough.
                log.warning("%s: %s", self.name, type(error).__name__)
            finally:
                connection.close()
            self.ended.wait(self.pause_s)
