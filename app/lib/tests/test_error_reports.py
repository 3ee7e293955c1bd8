"""Reports of errors: each kind arrives at the server, and none contains any content."""

import ast
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app import env
from tests.engines import ROOT
from tests.waiting import wait_until

BUGSINK = os.environ.get("REFDESK_TEST_BUGSINK", "")
CANARY = "canary-7f3a-of-a-document-and-of-a-secret"
NOWHERE = {"REFDESK_DATABASE_URL": "postgresql://127.0.0.1:9/none", "REFDESK_VALKEY_URL": "redis://127.0.0.1:9"}


class ErrorServer:
    """A server that accepts reports, as a server of Sentry's protocol does."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.events: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.requests.append(self.path.encode() + str(self.headers).encode() + body)
                lines = [json.loads(line) for line in body.splitlines() if line]
                outer.events += [line for head, line in pairwise(lines) if head.get("type") == "event"]
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://publickey@127.0.0.1:{self.http.server_port}/1"


@pytest.fixture(scope="module")
def server() -> Iterator[ErrorServer]:
    made = ErrorServer()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def run(*arguments: str, dsn: str = "", **more: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, **NOWHERE, **({"REFDESK_SENTRY_DSN": dsn} if dsn else {}), **more}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def events(server: ErrorServer) -> list[dict[str, Any]]:
    """Return the reports of a web process that failed in every way."""
    program = run("-m", "app.lib.tests.reporting_app", CANARY, dsn=server.dsn)
    output, _ = program.communicate(timeout=60)
    # The content was available to be sent: the process itself printed it.
    assert output.count(CANARY) > 5
    assert program.returncode == 1
    return list(server.events)


def kinds(events: list[dict[str, Any]]) -> set[str]:
    return {value["type"] for event in events for value in event.get("exception", {"values": []})["values"]}


def test_nothing_of_any_content_is_sent(server: ErrorServer, events: list[dict[str, Any]]) -> None:
    assert len(events) >= 10
    everything = b"\n".join(server.requests)
    assert CANARY.encode() not in everything
    for word in (b"canary", b"Bearer", b"sessionid", b"vars", b"breadcrumb", b"context_line", b"sys.argv"):
        assert word not in everything


def test_an_error_of_a_request_is_told_with_its_route_and_its_places(events: list[dict[str, Any]]) -> None:
    [event] = [event for event in events if event.get("logger") == "django.request"]
    assert [value["type"] for value in event["exception"]["values"]] == ["RefdeskError", "Secretive"]
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert (frames[-1]["function"], frames[-1]["in_app"]) == ("fail", True)
    tags = event["tags"]
    assert (tags["part"], tags["route"], len(tags["request_id"])) == ("web", "fail/<str:word>", 32)
    assert tags["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736" != tags["request_id"]
    assert set(event) <= {
        "event_id", "timestamp", "level", "platform", "release", "logger", "exception", "tags", "logentry",
    }  # fmt: skip


def test_errors_of_tasks_loops_threads_and_ends_are_told(events: list[dict[str, Any]]) -> None:
    loggers = {event.get("logger") for event in events}
    assert {"django.request", "celery.app.trace", "asyncio", "app.reporting", "somebody.else", None} <= loggers
    assert kinds(events) == {"Secretive", "RefdeskError"}
    assert {event["tags"]["code"] for event in events if "code" in event["tags"]} == {"disk_full"}


def test_a_message_of_ours_is_told_without_what_it_was_filled_with(events: list[dict[str, Any]]) -> None:
    texts = {event["logentry"]["message"] for event in events if "logentry" in event}
    assert texts == {"the store said %s", "answer %s failed", "an error without an exception"}


def test_without_a_dsn_nothing_of_it_is_loaded() -> None:
    program = "import sys, app.asgi, app.celery; from celery.signals import worker_init; worker_init.send(None);"
    program += "from app.lib.error_reports import error_report; error_report(ValueError());"
    program += "print('sentry_sdk' in sys.modules)"
    output, _ = run("-c", program).communicate(timeout=60)
    assert output.splitlines()[-1] == "False"


def test_a_worker_reports_as_a_worker(server: ErrorServer) -> None:
    server.events.clear()
    program = "import app.celery, logging; from celery.signals import worker_init; worker_init.send(None);"
    program += "from app.lib.trace import Trace, trace_enter; trace_enter(Trace('ab' * 16));"
    program += "logging.getLogger('app.x').error('from a worker')"
    run("-c", program, dsn=server.dsn).communicate(timeout=60)
    assert [(event["tags"], event["logentry"]) for event in server.events] == [
        ({"part": "worker", "trace_id": "ab" * 16}, {"message": "from a worker"})
    ]


def test_beat_reports_as_beat_what_its_threads_met(server: ErrorServer) -> None:
    server.events.clear()
    beat = run("manage.py", "beat", dsn=server.dsn)
    try:
        wait_until(lambda: server.events, limit_s=60)
    finally:
        beat.terminate()
        beat.communicate(timeout=30)
    event = server.events[0]
    assert event["tags"] == {"part": "beat"}
    assert "OperationalError" in {value["type"] for value in event["exception"]["values"]}


@pytest.mark.skipif(not BUGSINK, reason="no error server: REFDESK_TEST_SENTRY_DSN and REFDESK_TEST_BUGSINK are not set")
def test_a_real_error_server_takes_what_is_sent() -> None:
    def stored() -> int:
        with sqlite3.connect(Path(BUGSINK) / "db.sqlite3") as database:
            return int(database.execute("SELECT count(*) FROM events_event").fetchone()[0])

    # Only this run's events: the server keeps those of earlier runs.
    before, canary = stored(), f"canary-{uuid4()}"
    run("-m", "app.lib.tests.reporting_app", canary, dsn=os.environ["REFDESK_TEST_SENTRY_DSN"]).communicate(timeout=60)
    wait_until(lambda: stored() >= before + 10, limit_s=30)
    # The kind of an error is found the same way, so its text would be.
    kept = b"".join(path.read_bytes() for path in Path(BUGSINK).glob("*.sqlite3*"))
    assert b"Secretive" in kept
    assert canary.encode() not in kept


@pytest.mark.parametrize("value", ["ftp://key@host/1", "https://host/1", "https://key@host", "nothing"])
def test_a_dsn_that_is_none_stops_the_start_without_showing_its_key(value: str) -> None:
    with pytest.raises(env.EnvError) as raised:
        env.read("REFDESK_SENTRY_DSN", {"REFDESK_SENTRY_DSN": value})
    assert "REFDESK_SENTRY_DSN must be an address" in str(raised.value)
    assert "key@host/1" not in str(raised.value)


def test_a_dsn_can_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("https://key@errors.example.org/7\n")
    name = {"REFDESK_SENTRY_DSN_FILE": str(tmp_path / "dsn")}
    assert env.read("REFDESK_SENTRY_DSN", name) == "https://key@errors.example.org/7"


def test_every_log_message_of_ours_is_a_constant() -> None:
    # A constant text is no content: its parameters are not sent.
    filled = []
    for file in (ROOT / "app").rglob("*.py"):
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) in ("log", "logger", "logging")
                and node.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
                and not isinstance(node.args[0], ast.Constant)
            ):
                filled.append(f"{file.relative_to(ROOT)} line {node.lineno}")
    assert filled == []
