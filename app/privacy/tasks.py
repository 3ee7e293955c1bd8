from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

from app.privacy.upkeep import Upkeep

upkeep = Upkeep()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _start(**_: Any) -> None:
    if settings.WORKER_BEATS:
        upkeep.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    upkeep.stop()
