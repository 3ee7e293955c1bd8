"""Celery carries only job ids. PostgreSQL holds the work (design §3); app/jobs/worker.py has the threads."""

import os
from typing import Any

from celery import Celery
from celery.apps import worker as celery_worker
from celery.signals import worker_init
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")

from django.conf import settings

from app.jobs.choices import Lane
from app.lib.error_reports import error_reports_start
from app.lib.metrics_server import metrics_serve

celery = Celery("refdesk", broker=settings.VALKEY_URL)
celery.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 600,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_keepalive": True,
    },
    worker_soft_shutdown_timeout=5,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    task_queues=[Queue(lane.queue) for lane in Lane],
    task_default_queue=Lane.CPU.queue,
)
celery.autodiscover_tasks()


def _worker_start(**_: Any) -> None:
    error_reports_start("worker")
    metrics_serve("worker")
    if settings.LOG_FORMAT == "json":
        # What it says of its end goes past the log, as text.
        celery_worker.safe_say = lambda *_: None


worker_init.connect(_worker_start)
