"""REFDESK_LOG_FORMAT=json: every line is an object, and none has content."""

import json
import logging
import os
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest

from app import env
from app.lib.json_log import JsonFormatter
from app.lib.tests.test_error_reports import CANARY, NOWHERE
from tests.engines import ROOT

KEYS = {"time", "level", "logger", "message", "request_id", "trace_id", "organisation", "client_id"}
JOB = UUID("0198c7a2-0000-7000-8000-000000000001")


def line(name: str, message: str, *args: Any, **extra: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"name": name, "msg": message, "args": args, "levelname": "INFO", **extra})
    written: dict[str, Any] = json.loads(JsonFormatter().format(record))
    return written


@pytest.fixture(scope="module")
def failing() -> list[dict[str, Any]]:
    """Return the lines of a web process that failed in every way, with content wherever there could be some."""
    environment = {**os.environ, **NOWHERE, "REFDESK_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "app.lib.tests.reporting_app", CANARY]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "canary" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_of_a_failing_process_is_an_object_without_content(failing: list[dict[str, Any]]) -> None:
    assert len(failing) >= 12
    assert all(set(line) >= KEYS for line in failing)
    assert {"django.request", "celery.app.trace", "asyncio", "app.reporting", "somebody.else"} < {
        line["logger"] for line in failing
    }


def test_an_error_of_a_request_has_its_ids_its_route_and_its_places(failing: list[dict[str, Any]]) -> None:
    [failed] = [line for line in failing if line["logger"] == "django.request"]
    assert (failed["route"], failed["status"], len(failed["request_id"])) == ("fail/<str:word>", 500, 32)
    assert [error["type"] for error in failed["errors"]] == ["Secretive", "RefdeskError"]
    assert failed["errors"][0]["places"][-1].endswith(" fail")
    assert failed["errors"][1]["code"] == "internal"


def test_an_error_that_nobody_caught_is_a_line_too(failing: list[dict[str, Any]]) -> None:
    assert (failing[-1]["level"], failing[-1]["errors"][0]["type"]) == ("CRITICAL", "Secretive")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((JOB, "ingest", "OperationalError"), f"job {JOB} (ingest): OperationalError"),
        ((JOB.hex, "jobs_tidy", ValueError("What Maud wrote")), f"job {JOB.hex} (jobs_tidy): ValueError"),
        (("How long is the warranty?", "maud@example.org", "Maud"), "job … (…): …"),
        (("reports/Müller 2026.pdf", {"text": "x"}, ["x"]), "job … (…): …"),
    ],
)
def test_a_message_is_filled_in_with_ids_and_codes_alone(args: tuple[Any, ...], message: str) -> None:
    assert line("app.jobs.execution", "job %s (%s): %s", *args)["message"] == message


def test_of_other_packages_only_templates_are_written() -> None:
    assert line("psycopg.pool", "error connecting in %r: %s", "pool", "secret")["message"] == (
        "error connecting in %r: %s"
    )
    assert line("psycopg.pool", "secret")["message"] == "a message of another package"
    assert line("uvicorn.error", "Application startup complete.")["message"] == "Application startup complete."


def test_fields_that_are_not_known_are_not_written() -> None:
    written = line("app.x", "request", fields={"status": 200, "question": "why", "method": "WHY"})
    assert set(written) - KEYS == {"status", "method"}
    assert written["method"] == "…"


def test_another_format_stops_the_start() -> None:
    with pytest.raises(env.EnvError, match=r"REFDESK_LOG_FORMAT must be text or json, not 'xml'\."):
        env.read("REFDESK_LOG_FORMAT", {"REFDESK_LOG_FORMAT": "xml"})


@pytest.mark.parametrize("value", ["9100", ":9100", "localhost:", "127.0.0.1:99999"])
def test_an_address_of_metrics_without_a_host_or_a_port_stops_the_start(value: str) -> None:
    with pytest.raises(env.EnvError, match="REFDESK_METRICS_LISTEN must"):
        env.read("REFDESK_METRICS_LISTEN", {"REFDESK_METRICS_LISTEN": value})
    assert env.read("REFDESK_METRICS_LISTEN", {"REFDESK_METRICS_LISTEN": "[::1]:9100"}) == ("::1", 9100)
