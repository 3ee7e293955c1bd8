# ruff: noqa: F401, F811 (fixtures of another app)
"""Lines for programs (REFDESK_LOG_FORMAT=json): a request, its turn and its jobs, joined by ids and without content."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from app.accounts.models import ApiKey
from app.bots.models import Bot
from app.chat.tests.conftest import Desk, desk, fake_llm, library, model
from app.jobs.execution import job_run
from app.jobs.models import Job
from app.jobs.services import job_create
from app.lib.json_log import JsonFormatter
from app.lib.tenancy import everything_visible
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.settings import MIDDLEWARE
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
QUESTION = "How long is the warranty of the Vale 3?"
FOR_PROGRAMS = ("app.lib.request_log", "app.chat.turns.end_log", "app.jobs.outcomes")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"

    def of(self, logger: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["logger"] == logger]


@pytest.fixture
def lines(settings: Any) -> Iterator[Lines]:
    place = MIDDLEWARE.index("app.lib.request_id.RequestIdMiddleware") + 1
    settings.MIDDLEWARE = [*MIDDLEWARE[:place], "app.lib.request_log.RequestLogMiddleware", *MIDDLEWARE[place:]]
    handler = Lines()
    logging.getLogger().addHandler(handler)
    before = {name: logging.getLogger(name).level for name in FOR_PROGRAMS}
    for name in FOR_PROGRAMS:
        logging.getLogger(name).setLevel("INFO")
    yield handler
    logging.getLogger().removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def ids(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["trace_id"], line["organisation"], line["client_id"]


async def test_the_end_of_a_turn_is_a_line_with_its_times_and_tokens(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, lines: Lines
) -> None:
    model.script(Script(tokens=["It is 24 months [1]."]))
    requests = []
    for _ in range(2):
        body = {"message": QUESTION}
        async with desk.post("/bots/default/chat", bob.key, body, traceparent=TRACEPARENT) as answer:
            assert "24 months" in await answer.text()
            requests.append(answer.headers["X-Request-ID"])
    first, second = lines.of("app.chat.turns.end_log")
    key = await ApiKey.objects.aget(name="bob")
    assert ids(first) == ids(second) == (TRACE, str(bob.organisation.pk), str(key.pk))
    assert [first["request_id"], second["request_id"]] == requests
    assert (first["tokens_in"], first["tokens_out"], second["cache_hit"]) == (100, 1, True)
    assert 0 < first["latency_ms"] < 60_000
    for word in ("warranty", "Vale", "24 months", "manual.pdf", "bob", "acme"):
        assert word.lower() not in lines.text.lower()


def test_a_request_is_a_line_with_its_route_and_without_its_path(bob: Person, lines: Lines) -> None:
    wanted = "0198c7a2-0000-7000-8000-000000000001"
    answer = Client().get(f"/api/v1/conversations/{wanted}?word=secret", headers=bob.headers)
    [line] = lines.of("app.lib.request_log")
    key = ApiKey.objects.get(name="bob")
    assert (line["request_id"], line["client_id"]) == (answer["X-Request-ID"], str(key.pk))
    assert line["organisation"] == str(bob.organisation.pk)
    assert (line["method"], line["status"]) == ("GET", 404)
    assert line["route"] == "api/v1/conversations/<uuidstr:conversation_id>"
    assert line["latency_ms"] > 0
    assert wanted not in lines.text
    assert "secret" not in lines.text


def test_a_page_is_a_line_with_the_id_of_whoever_is_signed_in(bob: Person, lines: Lines) -> None:
    assert bob.client.get("/").status_code == 200
    assert Client().get("/there/is/no/such/secret").status_code == 404
    page, nothing = lines.of("app.lib.request_log")
    assert (page["client_id"], page["organisation"]) == (str(bob.user.pk), str(bob.organisation.pk))
    assert (nothing["route"], nothing["client_id"], nothing["organisation"]) == (None, None, None)
    assert "secret" not in lines.text
    assert "bob" not in lines.text


def test_a_job_goes_on_with_the_trace_of_the_request_that_made_it(alice: Person, lines: Lines) -> None:
    file = SimpleUploadedFile("Secret plans.txt", b"Of nothing else than plans.")
    headers = {**alice.headers, "traceparent": TRACEPARENT}
    assert Client().post("/api/v1/documents", {"file": file}, headers=headers).status_code == 202
    job = Job.objects.get(kind="ingest")
    assert job.trace_id == TRACE
    assert job_run(job=job.pk)
    [line] = lines.of("app.jobs.outcomes")
    assert (line["trace_id"], line["organisation"]) == (TRACE, str(alice.organisation.pk))
    assert line["message"] == f"job {job.pk} (ingest): done"
    assert line["latency_ms"] > 0
    assert "plans" not in lines.text


def test_a_job_that_no_request_made_begins_a_trace(lines: Lines) -> None:
    with everything_visible():
        job = job_create(kind="jobs_tidy")
    assert job_run(job=job)
    [line] = lines.of("app.jobs.outcomes")
    assert (line["trace_id"], line["organisation"], line["request_id"]) == (job.hex, None, None)
