"""A program with every kind of failure that is reported, with canaries wherever content could be.

test_error_reports.py runs it in its own process, because the package of error reports patches a process permanently.
"""

import asyncio
import gc
import logging
import sys
import threading
from typing import Any

from asgiref.testing import ApplicationCommunicator
from celery import shared_task
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

import app.asgi  # noqa: F401 (starts the reports, as in the web process)
from app.errors import RefdeskError
from app.lib.asgi.handler import ThreadReusingHandler
from app.lib.error_reports import error_report

log = logging.getLogger("app.reporting")
foreign = logging.getLogger("somebody.else")
CANARY = sys.argv[1]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Secretive(Exception):
    """An exception whose text must not be reported."""

    def __init__(self, text: str) -> None:
        super().__init__(text, {"document": text})
        self.text = text
        self.add_note(text)


def fail(request: HttpRequest, word: str) -> HttpResponse:
    body, held = request.body, {"secret": CANARY, "list": [CANARY] * 3}
    log.info("breadcrumb %s", CANARY)
    log.warning("breadcrumb %s", CANARY)
    try:
        raise RefdeskError("internal", CANARY, details={"text": CANARY})
    except RefdeskError as error:
        raise Secretive(f"{word} {body!r} {held} {CANARY}") from error


@shared_task(name="reporting.fail")
def fail_task(text: str) -> None:
    raise Secretive(text)


urlpatterns = [path("fail/<str:word>", fail)]


async def request() -> None:
    scope = {
        "type": "http", "method": "POST", "path": f"/fail/{CANARY}", "query_string": f"q={CANARY}".encode(),
        "http_version": "1.1", "client": (CANARY, 1), "headers": [
            (b"authorization", f"Bearer {CANARY}".encode()), (b"cookie", f"sessionid={CANARY}".encode()),
            (b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()),
            (b"user-agent", CANARY.encode()), (b"host", b"localhost"), (b"content-type", b"application/json"),
        ],
    }  # fmt: skip
    talk = ApplicationCommunicator(ThreadReusingHandler(), scope)
    await talk.send_input({"type": "http.request", "body": f'{{"message": "{CANARY}"}}'.encode()})
    assert (await talk.receive_output(10))["status"] == 500


async def forgotten() -> None:
    async def fails() -> None:
        raise Secretive(CANARY)

    asyncio.create_task(fails())  # noqa: RUF006 (never awaited, on purpose)
    await asyncio.sleep(0.05)
    gc.collect()


def logged() -> None:
    log.error("the store said %s", CANARY, extra={"document": CANARY}, stack_info=True)
    foreign.error(f"text of others: {CANARY}")
    foreign.error("text of others: %s", CANARY)
    try:
        raise Secretive(CANARY)
    except Secretive as error:
        log.exception("answer %s failed", CANARY)
        error_report(error)
    try:
        raise RefdeskError("disk_full", CANARY)
    except RefdeskError as error:
        error_report(error)


def main() -> Any:
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "__main__", ["*"]
    settings.MIDDLEWARE = ["app.lib.request_id.RequestIdMiddleware"]
    asyncio.run(request())
    asyncio.run(forgotten())
    logged()
    fail_task.apply(args=[CANARY])
    thread = threading.Thread(target=logged, name=CANARY)
    thread.start()
    thread.join()
    local = CANARY
    raise Secretive(local)


if __name__ == "__main__":
    main()
