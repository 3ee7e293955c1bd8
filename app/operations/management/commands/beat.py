import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from app.lib.error_reports import error_reports_start
from app.lib.heartbeat_file import alive_touch
from app.library.reconcile.periodic import Reconciling
from app.privacy.upkeep import Upkeep

LOOK_S = 5.0


class Command(BaseCommand):
    help = (
        "What the clock starts, for workers that leave it (REFDESK_WORKER_BEATS=0): the reconciler, exports, erasures "
        "and the night's retention. Runs until it is stopped; several do no harm."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        error_reports_start("beat")
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        clocks = (Reconciling(), Upkeep())
        for clock in clocks:
            clock.start()
        while not ended.wait(LOOK_S) and all(clock.lives() for clock in clocks):
            alive_touch()
        for clock in clocks:
            clock.stop()
        if not ended.is_set():
            raise SystemExit("beat: a thread ended that never should")
