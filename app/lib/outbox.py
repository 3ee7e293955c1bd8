"""Mails on their way: written and sent by a thread of their own, so that no request waits or tells by its time.

What waits here is lost with the process, and nothing else: a reset can be asked for again, an invitation's link is
shown where it was made. No token is ever stored, in Valkey or elsewhere, to be sent later.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from django.db import connections

from app.lib.mail import Mail, MailFailed, mail_send
from app.lib.tenancy import scope_enter_everything

log = logging.getLogger(__name__)

# Later than the answer, so that what is done for a known address only falls into nobody's measured time.
DELAY_S = 1.0
RETRIES_S = (10.0, 60.0, 300.0)
MOST_WAITING = 1000

# When (monotonic), the order of arrival, tries so far, what writes the mail.
_Waiting = tuple[float, int, int, Callable[[], Mail | None]]


class Outbox:
    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._order = itertools.count()
        self._busy = False

    def put(self, write: Callable[[], Mail | None], *, delay_s: float = DELAY_S, tries: int = 0) -> None:
        """Have `write` called in the thread and its mail sent, if it gives one. Never raises, never waits."""
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                log.warning("a mail is dropped: %d are waiting already", MOST_WAITING)
                return
            heapq.heappush(self._waiting, (time.monotonic() + delay_s, next(self._order), tries, write))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drop(self) -> None:
        """Forget what waits; returns when nothing is being sent any more."""
        with self._changed:
            self._waiting.clear()
            self._changed.wait_for(lambda: not self._busy)
            self._waiting.clear()

    def _run(self) -> None:
        scope_enter_everything()
        while True:
            _, _, tries, write = self._next()
            try:
                self._send(write, tries)
            except Exception as error:
                # Its text may hold an address: the kind says enough.
                log.error("a mail could not be written (%s)", type(error).__name__)
            finally:
                connections.close_all()
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> _Waiting:
        with self._changed:
            while True:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    self._busy = True
                    return heapq.heappop(self._waiting)
                self._changed.wait(left)

    def _send(self, write: Callable[[], Mail | None], tries: int) -> None:
        mail = write()
        if mail is None:
            return
        try:
            mail_send(mail)
        except MailFailed as error:
            again = tries < len(RETRIES_S)
            log.warning("%s; %s", error, "it is tried again" if again else "it is given up")
            if again:
                # The same mail, not written anew: its link is the one that counts.
                self.put(lambda: mail, delay_s=RETRIES_S[tries], tries=tries + 1)


outbox = Outbox()
