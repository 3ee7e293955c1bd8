"""The change of the embedding model: PostgreSQL, the Edge process and two servers of vectors, all real."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone

from app.accounts.models import Organisation, User
from app.errors import Conflict, Invalid
from app.jobs.choices import JobState
from app.jobs.execution import job_run
from app.jobs.models import Job
from app.lib.http import http_session_close
from app.lib.tenancy import everything_visible
from app.library.models import Chunk, Document, EmbeddingCache
from app.library.pipeline import steps
from app.library.pipeline.vectors import long_texts_embed
from app.library.services.documents import document_delete
from app.library.services.embedding_change import (
    change_abandon,
    change_drop,
    change_measure,
    change_pause,
    change_resume,
    change_start,
    change_switch,
)
from app.library.tests.projection import NAME, SPACE, Projection, changes_forget, projection
from app.library.tests.stores import leases_age, long_text, stores_agree, stores_empty, upload, wait_ready
from app.library.tests.workers import worker, worker_kill, worker_start
from app.llm.embeddings import EmbeddingsClient, EmbeddingSpace, vector_numbers
from app.llm.endpoint import Endpoint
from app.llm.models import EmbeddingChange
from app.llm.models_kept import embeddings_client, models_kept
from app.retrieval.index_loader import index_delete, index_exists, index_writer
from app.retrieval.search import passages_search
from tests.people import Person
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
QUESTIONS = {
    "holiday.md": ("How many days of paid holiday are there?", b"# Holiday\n\nEvery employee has 28 days of holiday."),
    "toner.md": ("What does error E17 of the printer mean?", b"# Printer\n\nThe printer shows E17 without toner."),
    "travel.md": ("When are travel expenses paid back?", b"# Travel\n\nTravel expenses are paid within two weeks."),
}


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str) -> Iterator[None]:
    changes_forget()
    stores_empty()
    yield
    changes_forget()


@pytest.fixture
def server() -> Iterator[Projection]:
    with projection() as made:
        yield made


def jobs_run() -> None:
    """Run the jobs that are due, here."""
    while True:
        due = Job.objects.filter(state=JobState.QUEUED).exclude(not_before__gt=timezone.now()).order_by("id").first()
        if due is None:
            return
        assert job_run(job=due.pk)


def documents_add(organisation: Organisation) -> list[Document]:
    documents = [upload(organisation, name, content) for name, (_, content) in QUESTIONS.items()]
    jobs_run()
    return documents


def points(space: EmbeddingSpace) -> set[str]:
    return {point.id for point in index_writer(space).point_owners()}


def passages() -> set[str]:
    return {str(key) for key in Chunk.objects.filter(version__state="active").values_list("id", flat=True)}


def change_of(server: Projection, *, ready: bool = False) -> EmbeddingChange:
    row = change_start(change=change_measure(url=server.url).pk)
    if ready:
        jobs_run()
        row.refresh_from_db()
        assert row.state == "ready", (row.state, row.error_code)
    return row


def answers(organisation: Organisation) -> dict[str, bool]:
    """Return for each question whether its document is found first."""

    async def ask() -> dict[str, bool]:
        found = {}
        for name, (question, _) in QUESTIONS.items():
            result = await passages_search(organisation=organisation.id, query=question)
            found[name] = (
                bool(result.hits) and result.hits[0].document_name == name and result.hits[0].dense is not None
            )
        await http_session_close()
        return found

    return asyncio.run(ask())


class Reader(threading.Thread):
    """Somebody who asks all the time. `times`: seconds of each question; `faults`: what failed or was not found."""

    def __init__(self, organisation: Organisation) -> None:
        super().__init__()
        self.organisation = organisation
        self.times: list[float] = []
        self.faults: list[str] = []
        self.over = threading.Event()
        self.context = contextvars.copy_context()

    def run(self) -> None:
        self.context.run(asyncio.run, self._ask())

    async def _ask(self) -> None:
        number = 0
        while not self.over.is_set():
            for name, (question, _) in QUESTIONS.items():
                begun, number = time.perf_counter(), number + 1
                try:
                    # Another text each time: a remembered vector would prove nothing.
                    result = await passages_search(organisation=self.organisation.id, query=f"{question} ({number})")
                except Exception as error:
                    self.faults.append(repr(error))
                    continue
                self.times.append(time.perf_counter() - begun)
                hit = next(iter(result.hits), None)
                if hit is None or hit.document_name != name or hit.dense is None:
                    self.faults.append(f"{name}: {hit and (hit.document_name, hit.dense)}")
        await http_session_close()


def test_the_model_changes_while_questions_are_asked(
    acme: Organisation, other: Organisation, server: Projection, tmp_path: Path
) -> None:
    documents = documents_add(acme)
    parcels, theirs = upload(acme, "parcels.md", long_text(40)), upload(other, "theirs.md", long_text(3))
    jobs_run()
    before = passages()
    server.slow_s = 0.2
    with worker(tmp_path / "worker.log"):
        reader = Reader(acme)
        reader.start()
        try:
            row = change_of(server)
            wait_until(lambda: EmbeddingChange.objects.get().filled >= 32, what="filling")
            added = upload(acme, "later.md", long_text(2, "letter"))
            document_delete(organisation=other.id, document=theirs.pk)
            wait_until(lambda: EmbeddingChange.objects.get().state == "ready", what="the new index")
            wait_ready(added)
            wait_until(lambda: points(SPACE) == passages(), what="the deletion in both")
            stores_agree()
            cached = len(reader.times)
            change_switch(change=row.pk)
            wait_until(lambda: len(reader.times) > cached + 30, what="questions after the switch")
            EmbeddingChange.objects.update(switched=F("switched") - timedelta(seconds=61))
            change_drop(change=row.pk)
            wait_until(lambda: EmbeddingChange.objects.get().state == "done", what="the end of the old index")
            wait_until(lambda: not index_exists(EmbeddingSpace(row.old_model, 384)), what="the end of the old index")
        finally:
            reader.over.set()
            reader.join()
    assert reader.faults == []
    assert len(reader.times) > 60
    assert embeddings_client().space() == SPACE
    # Passages are what they were, so that citations of older answers stay.
    assert before - passages() == {str(key) for key in before if not Chunk.objects.filter(pk=key).exists()}
    assert {str(key) for key in Chunk.objects.filter(document=parcels).values_list("id", flat=True)} <= before
    wait_until(lambda: not EmbeddingCache.objects.exclude(model=NAME).exists(), what="the old vectors' end")
    assert Document.objects.filter(pk__in=[document.pk for document in documents]).count() == 3
    stores_agree()


@pytest.mark.parametrize("moment", ["begun", "half"])
def test_killed_while_it_fills_it_goes_on(acme: Organisation, server: Projection, tmp_path: Path, moment: str) -> None:
    upload(acme, "parcels.md", long_text(90))
    jobs_run()
    server.slow_s = 0.3
    row = change_of(server)
    reached = {
        "begun": lambda: Job.objects.filter(kind="embedding_fill", state="running").exists(),
        "half": lambda: EmbeddingChange.objects.get().filled >= 32,
    }[moment]
    process = worker_start(tmp_path / "worker.log")
    wait_until(reached, what="the moment to kill")
    worker_kill(process)
    row.refresh_from_db()
    assert row.state == "filling"
    assert row.filled < row.passages
    leases_age()
    kept = EmbeddingCache.objects.filter(model=NAME).count()
    assert kept >= row.filled
    asked = len([text for body in server.fake.bodies for text in body["input"]])
    job_run(job=Job.objects.get(kind="embedding_fill").pk)
    row.refresh_from_db()
    assert row.state == "ready"
    assert len([text for body in server.fake.bodies for text in body["input"]]) - asked == row.passages - kept
    assert points(SPACE) == passages()
    stores_agree()


def test_killed_while_it_drops_it_goes_on(acme: Organisation, server: Projection, tmp_path: Path) -> None:
    documents_add(acme)
    row = change_of(server, ready=True)
    change_switch(change=row.pk)
    EmbeddingChange.objects.update(switched=F("switched") - timedelta(seconds=61))
    change_drop(change=row.pk)
    process = worker_start(tmp_path / "worker.log")
    wait_until(lambda: EmbeddingChange.objects.get().state == "done", what="the moment to kill")
    worker_kill(process)
    leases_age()
    job_run(job=Job.objects.get(kind="embedding_drop", state__in=("running", "done", "queued")).pk)
    assert not index_exists(EmbeddingSpace(row.old_model, 384))
    assert not EmbeddingCache.objects.exclude(model=NAME).exists()
    stores_agree()


def test_a_pause_lasts_and_a_resumed_fill_goes_on(acme: Organisation, server: Projection) -> None:
    documents_add(acme)
    row = change_of(server)
    assert change_pause(change=row.pk).state == "paused"
    jobs_run()
    assert points(SPACE) == set()
    with pytest.raises(Conflict, match="paused"):
        change_switch(change=row.pk)
    change_resume(change=row.pk)
    jobs_run()
    assert points(SPACE) == passages()
    assert answers(acme) == dict.fromkeys(QUESTIONS, True)


def test_an_upload_does_not_wait_for_the_new_model_s_server(acme: Organisation, server: Projection) -> None:
    documents_add(acme)
    row = change_of(server, ready=True)
    server.down = True
    upload(acme, "more.md", long_text(2))
    due = Job.objects.get(kind="ingest", state="queued")
    job_run(job=due.pk)
    assert Document.objects.get(name="more.md").state == "ready"
    row.refresh_from_db()
    assert (row.state, row.behind) == ("filling", True)
    server.down = False
    with pytest.raises(Conflict):
        change_switch(change=row.pk)
    jobs_run()
    row.refresh_from_db()
    assert (row.state, row.behind) == ("ready", False)
    assert points(SPACE) == passages()


def test_after_the_switch_a_former_server_that_is_gone_stops_no_upload(acme: Organisation, server: Projection) -> None:
    documents_add(acme)
    first = change_of(server, ready=True)
    change_switch(change=first.pk)
    EmbeddingChange.objects.update(state="done")
    with projection(dimensions=128) as second:
        second.fake.models = ["projected-too"]
        row = change_of(second, ready=True)
        change_switch(change=row.pk)
        server.down = True
        upload(acme, "more.md", long_text(2))
        jobs_run()
        assert Document.objects.get(name="more.md").state == "ready"
        row.refresh_from_db()
        assert row.behind
        assert row.state == "switched"
        stores_agree()
        index_delete(models_kept().in_use.space)


def test_an_upload_that_began_before_the_change_is_in_both_indexes(
    acme: Organisation, server: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start, fill and switch at the latest moment of an upload, after its points are written to the old index alone."""
    documents_add(acme)
    write, done = steps.side_index_write, []

    def change_first(context: Any) -> bool:
        if not done:
            done.append(True)
            fill = change_of(server)
            with everything_visible():
                job_run(job=Job.objects.get(kind="embedding_fill").pk)
            change_switch(change=fill.pk)
        return write(context)

    monkeypatch.setattr(steps, "side_index_write", change_first)
    late = upload(acme, "late.md", long_text(2))
    job_run(job=Job.objects.get(kind="ingest", state="queued").pk)
    assert Document.objects.get(pk=late.pk).state == "ready"
    assert points(SPACE) == passages()
    stores_agree()


def test_passages_above_the_new_model_s_limit_are_embedded_in_parts(acme: Organisation) -> None:
    documents_add(acme)
    upload(acme, "parcels.md", long_text(3))
    jobs_run()
    before = {row.pk: row.text for row in Chunk.objects.all()}
    with projection(limit=64) as short:
        measured = change_measure(url=short.url)
        assert 0 < measured.sample_split < measured.sample
        change_start(change=measured.pk)
        jobs_run()
        assert EmbeddingChange.objects.get().state == "ready"
        assert points(EmbeddingSpace(NAME, 256)) == passages() == {str(key) for key in before}
        assert {row.pk: row.text for row in Chunk.objects.all()} == before
        client = EmbeddingsClient(Endpoint(short.url))
        [whole] = long_texts_embed(client, ["parcel " * 200])
        [part] = client.embed_documents(["parcel " * 20])
        cosine = sum(a * b for a, b in zip(vector_numbers(whole), vector_numbers(part), strict=True))
        assert cosine > 0.5
        upload(acme, "short.md", long_text(1, "letter"))
        jobs_run()
        assert max(Chunk.objects.filter(document__name="short.md").values_list("tokens", flat=True)) <= 62


def test_a_file_is_found_by_its_name_after_the_change(acme: Organisation, server: Projection) -> None:
    upload(acme, "zeppelin.md", b"# Printer\n\nThe printer shows E17 without toner.")
    jobs_run()
    change_switch(change=change_of(server, ready=True).pk)

    async def ask() -> float | None:
        result = await passages_search(organisation=acme.id, query="zeppelin")
        await http_session_close()
        return result.hits[0].words

    assert asyncio.run(ask())


def test_an_abandoned_change_leaves_nothing(acme: Organisation, server: Projection) -> None:
    documents_add(acme)
    row = change_of(server, ready=True)
    change_abandon(change=row.pk)
    jobs_run()
    assert not index_exists(SPACE)
    assert not EmbeddingCache.objects.filter(model=NAME).exists()
    assert embeddings_client().space().dimensions == 384
    assert answers(acme) == dict.fromkeys(QUESTIONS, True)
    # An index that comes back, by an upload that had begun long before, is seen and removed.
    index_writer(SPACE).ensure_collection()
    with pytest.raises(SystemExit):
        call_command("check_store", "--repair")
    assert not index_exists(SPACE)
    call_command("check_store")


def test_lost_vectors_of_either_index_come_back(acme: Organisation, server: Projection) -> None:
    documents_add(acme)
    change_of(server, ready=True)
    index_writer(SPACE).points_delete(list(points(SPACE))[:1])
    with pytest.raises(SystemExit):
        call_command("check_store")
    with pytest.raises(SystemExit):
        call_command("check_store", "--repair")
    jobs_run()
    assert points(SPACE) == passages()
    stores_agree()


def test_another_model_under_the_name_in_use_is_refused(acme: Organisation, server: Projection) -> None:
    documents_add(acme)
    change_switch(change=change_of(server, ready=True).pk)
    with projection() as impostor:
        impostor.fake.reply = lambda body: (
            200,
            {"data": [{"index": n, "embedding": [1.0] * 256} for n, _ in enumerate(body["input"])]},
            {},
        )
        with pytest.raises(Invalid, match="another name"):
            change_measure(url=impostor.url)


def test_the_same_model_at_another_address_is_a_switch_that_drops_nothing(
    acme: Organisation, server: Projection
) -> None:
    documents_add(acme)
    change_switch(change=change_of(server, ready=True).pk)
    EmbeddingChange.objects.update(state="done")
    with projection() as moved:
        row = change_of(moved, ready=True)
        change_switch(change=row.pk)
        EmbeddingChange.objects.update(switched=F("switched") - timedelta(seconds=61))
        change_drop(change=row.pk)
        jobs_run()
        assert points(SPACE) == passages()
        assert embeddings_client().endpoint.url == moved.url
        assert answers(acme) == dict.fromkeys(QUESTIONS, True)


def test_operators_alone_see_the_page_and_its_buttons(acme: Organisation, alice: Person, server: Projection) -> None:
    place = "/admin/llm/embeddingchange/"
    assert alice.client.get(place).status_code == 403
    operator = Client()
    operator.force_login(User.objects.create(email="operator@example.org", is_operator=True))
    assert "a second index is filled while questions and uploads go on" in operator.get(place).content.decode()
    documents_add(acme)
    fields = {"url": server.url, "model": "", "api_key": "sk-canary9f2c41d7credential"}
    page = operator.post(f"{place}add/", fields, follow=True).content.decode()
    row = EmbeddingChange.objects.get()
    assert row.credential_id is not None
    assert (row.passages, row.dimensions) == (3, 256)
    assert "3 passages" in operator.get(f"{place}{row.pk}/change/").content.decode()
    assert "sk-canary" not in page
    address = f"{place}{row.pk}"

    def press(button: str, state: str) -> None:
        operator.post(f"{address}/{button}/", follow=True)
        row.refresh_from_db()
        assert row.state == state, button

    press("abandon", "abandoned")
    operator.post(f"{place}add/", fields, follow=True)
    row = EmbeddingChange.objects.latest("created")
    address = f"{place}{row.pk}"
    for button, state in {"start": "filling", "pause": "paused", "resume": "filling"}.items():
        press(button, state)
    jobs_run()
    page = operator.get(f"{address}/change/").content.decode()
    assert "100% (3 of 3 passages)" in page
    assert alice.client.get(f"{address}/change/").status_code in (302, 403, 404)
    assert server.fake.headers[-1]["Authorization"] == "Bearer sk-canary9f2c41d7credential"
    press("switch", "switched")
    [waiting] = Job.objects.filter(kind="embedding_drop", state="queued")
    press("drop", "switched")
    [sooner] = Job.objects.filter(kind="embedding_drop", state="queued")
    assert sooner.not_before < waiting.not_before - timedelta(hours=23)


def test_the_command_does_each_step(acme: Organisation, server: Projection, capsys: Any) -> None:
    documents_add(acme)
    call_command("embedding_model")
    assert "REFDESK_EMBEDDINGS_*" in capsys.readouterr().out
    call_command("embedding_model", "measure", "--url", server.url)
    assert "passages: 3" in capsys.readouterr().out
    call_command("embedding_model", "start")
    jobs_run()
    call_command("embedding_model", "switch")
    capsys.readouterr()
    call_command("embedding_model", "show", "--json")
    assert '"state": "switched"' in capsys.readouterr().out
