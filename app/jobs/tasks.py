from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from app.jobs.choices import Lane
from app.jobs.dispatcher import Message
from app.jobs.worker import Worker


@shared_task(name="jobs.run", ignore_result=True)  # type: ignore[untyped-decorator]
def job_run_task(job: str, kind: str) -> None:
    worker.receive(UUID(job), kind)


def _send(message: Message) -> None:
    # No retry here: the dispatcher sends an untaken message again later.
    job_run_task.apply_async(args=[str(message.job), message.kind], queue=Lane(message.lane).queue, retry=False)


worker = Worker(send=_send)


@worker_ready.connect  # type: ignore[untyped-decorator]
def _start(**_: Any) -> None:
    worker.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    worker.stop()
