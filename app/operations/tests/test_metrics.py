# ruff: noqa: F401, F811 (fixtures of another app)
"""/metrics: its readers, its counters, and the absence of names. Prometheus's own parser reads it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.tests.conftest import (
    Desk,
    desk,
    fake_llm,
    library,
    model,
)
from app.chat.turns.metrics import WHOLE
from app.embedded.app_programs import web_command
from app.library.tests.stores import upload
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.operations import metrics
from app.operations.metrics import BOX_STATE, ERRORS
from tests.people import Person
from tests.stack.test_compose import SERVICES, networks_of
from tools.reference import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "a token for the tests alone"
QUESTION = "How long is the warranty of the Vale 3?"
# Metrics of other parts, with names of their own.
FOREIGN = re.compile(r"up$|caddy_|collections_|minio_|jvm_")
Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _token(settings: Any) -> Iterator[None]:
    settings.METRICS_TOKEN = TOKEN
    BOX_STATE.forget()
    yield
    BOX_STATE.forget()


def read() -> str:
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return str(answer.content.decode())


def numbers() -> Numbers:
    BOX_STATE.forget()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(read())
        for sample in family.samples
    }


def grown(before: Numbers, after: Numbers, name: str, **labels: str) -> float:
    key = (name, frozenset(labels.items()))
    return after.get(key, 0) - before.get(key, 0)


def test_without_a_token_in_the_settings_the_page_is_not_there(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
        assert Client().get("/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize("said", ["", "Bearer ", "Bearer wrong", TOKEN, "Basic " + TOKEN])
def test_only_the_token_opens_it(said: str, alice: Person) -> None:
    for client in (Client(), alice.client):
        answer = client.get("/metrics", headers={"Authorization": said})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_access_token")


async def test_an_answer_is_counted_with_its_times_and_tokens(
    desk: Desk,
    library: Bot,
    bob: Person,
    model: ScriptedModel,
) -> None:
    model.script(Script(tokens=["It is 24 months [1]."]))
    before = await in_thread(numbers)
    await desk.ask(bob.key, QUESTION)
    await desk.ask(bob.key, QUESTION)
    after = await in_thread(numbers)
    assert grown(before, after, "chat_requests_total", mode="model", status="done") == 2
    assert grown(before, after, "chat_first_token_seconds_count", mode="model") == 2
    assert grown(before, after, "chat_latency_seconds_bucket", mode="model", le="+Inf") == 2
    assert 0 < grown(before, after, "chat_latency_seconds_sum", mode="model") < 60
    assert grown(before, after, "llm_tokens_total", model="scripted", type="in") == 200
    assert grown(before, after, "llm_tokens_total", model="scripted", type="out") == 2
    assert grown(before, after, "qdrant_search_duration_seconds_count") == 2
    assert grown(before, after, "embedding_cache_hits_total") >= 1


async def test_refusals_and_errors_are_counted_by_kind(
    desk: Desk,
    library: Bot,
    bob: Person,
    model: ScriptedModel,
) -> None:
    model.script(Script(status=429))
    before = await in_thread(numbers)
    await desk.ask(bob.key, QUESTION)
    await desk.ask(bob.key, "Which volcano erupted in Iceland in 2010?")
    await desk.json(desk.post("/bots/default/chat", bob.key, {"message": " "}))
    after = await in_thread(numbers)
    assert grown(before, after, "chat_requests_total", mode="extractive", status="done") == 1
    assert grown(before, after, "chat_errors_total", code="model_busy") >= 1
    assert grown(before, after, "chat_requests_total", mode="refused", status="done") == 1
    assert grown(before, after, "api_errors_total", code="question_empty") == 1


def test_the_box_runs_one_web_process_so_its_numbers_are_whole() -> None:
    assert not {"--workers", "WEB_CONCURRENCY"} & set(web_command("127.0.0.1", 8000))
    web = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["web"]
    assert web.get("deploy", {}).get("replicas", 1) == 1


def test_a_histogram_counts_what_is_at_most_each_bound() -> None:
    before = numbers()
    for seconds in (0.25, 0.3, 400):
        WHOLE.labels("model").observe(seconds)
    after = numbers()
    name = "chat_latency_seconds_bucket"
    assert [grown(before, after, name, mode="model", le=bound) for bound in ("0.25", "0.5", "300.0", "+Inf")] == [
        1,
        2,
        2,
        3,
    ]


def test_no_series_says_when_a_counter_was_made() -> None:
    ERRORS.labels("not_found").inc(0)
    assert "_created" not in read()


def test_without_an_answer_of_the_database_the_rest_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(metrics, "_box_state_read", fail)
    BOX_STATE.forget()
    text = read()
    assert "process_open_fds" in text
    assert "answers_running" not in text


def test_documents_and_the_queue_are_counted_by_state(acme: Organisation) -> None:
    before = numbers()
    upload(acme, "secret name.txt", b"secret text")
    after = numbers()
    assert grown(before, after, "documents", state="queued") == 1
    assert grown(before, after, "jobs", lane="cpu", state="queued") == 1
    assert ("jobs_oldest_seconds", frozenset({("lane", "cpu"), ("state", "queued")})) in after
    assert after["process_resident_memory_bytes", frozenset()] > 50e6


async def test_the_numbers_name_nobody(
    desk: Desk,
    library: Bot,
    acme: Organisation,
    bob: Person,
    model: ScriptedModel,
) -> None:
    model.script(Script(tokens=["It is 24 months [1]."]))
    settings = {"llm_model": "acme-private-model"}
    await in_thread(lambda: bot_create(organisation=acme, slug="zanzibar", name="Zanzibar", settings=settings))
    await desk.ask(bob.key, QUESTION, bot="zanzibar")
    text = (await in_thread(read)).lower()
    assert 'model="chosen by a bot"' in text
    for word in ("acme", "zanzibar", "bob", "warranty", "manual.pdf", str(acme.pk), bob.key[:8]):
        assert word not in text


def test_the_dashboards_ask_for_what_is_there() -> None:
    exported = set(re.findall(r"^# TYPE (\S+) ", read(), re.MULTILINE))
    asked: set[str] = set()
    for path in (ROOT / "compose" / "metrics" / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                words = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", "", target["expr"])
                asked |= set(re.findall(r"[a-z_]{2,}(?![a-z_]|\s*\()", words))
    own = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked if not FOREIGN.match(name)}
    assert own <= exported
    # Dashboards show all counters except those of a process that Prometheus's own pages show.
    assert {name for name in exported if not name.startswith("process_")} == own - {"process_resident_memory_bytes"}


def test_every_number_is_documented() -> None:
    exported = set(re.findall(r"^# TYPE (\S+) ", read(), re.MULTILINE))
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    first_cells = re.findall(r"^\| (`\w+`[^|]*)\|", page, re.MULTILINE)
    assert {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)} == exported


@pytest.mark.parametrize(("part", "port"), [("web", 8000), ("worker", 9100), ("beat", 9100)])
def test_prometheus_reads_each_part_with_the_token_that_it_was_dealt(part: str, port: int) -> None:
    config = yaml.safe_load((ROOT / "compose" / "metrics" / "prometheus.yml").read_text())
    [job] = [one for one in config["scrape_configs"] if one["job_name"] == part]
    assert job["authorization"] == {"type": "Bearer", "credentials_file": "/run/refdesk/metrics_token"}
    assert job["static_configs"] == [{"targets": [f"{part}:{port}"]}]
    assert networks_of("prometheus") & networks_of(part)
    environment = SERVICES[part]["environment"]
    assert environment["REFDESK_METRICS_TOKEN_FILE"] == "/run/refdesk/metrics_token"
    assert part == "web" or environment["REFDESK_METRICS_LISTEN"] == f"0.0.0.0:{port}"
    assert "secrets-prometheus:/run/refdesk:ro" in SERVICES["prometheus"]["volumes"]


async def in_thread(call: Any) -> Any:
    from asgiref.sync import sync_to_async

    return await sync_to_async(call)()
