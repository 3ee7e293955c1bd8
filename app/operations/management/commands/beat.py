import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from app.jobs.schedule import Clock
from app.lib.error_reports import error_reports_start
from app.lib.heartbeat_file import heartbeat_touch
from app.lib.metrics_server import metrics_serve

LOOK_S = 5.0


class Command(BaseCommand):
    help = (
        "Make the jobs that the clock starts, for workers that leave it (REFDESK_WORKER_BEATS=0): comparing the "
        "stores, the night's retention, what is on the schedule. Runs until it is stopped; several do no harm."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        error_reports_start("beat")
        metrics_serve("beat")
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        clock = Clock()
        clock.start()
        while not ended.wait(LOOK_S) and clock.lives():
            heartbeat_touch()
        clock.stop()
        if not ended.is_set():
            raise SystemExit("beat: its thread ended, which never should")
