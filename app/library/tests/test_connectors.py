"""Runs of a source with a connector of the tests, whose documents are in memory."""

import io

import pytest
from django.utils import timezone

from app.accounts.models import Organisation
from app.audit.models import AuditEntry
from app.errors import RefdeskError, Upstream
from app.jobs.execution import job_run
from app.jobs.models import Job, Schedule
from app.jobs.schedule import schedule_run
from app.jobs.services import job_cancel
from app.jobs.tests.running import jobs_run
from app.library.choices import FAILURES, SKIPPED, Outcome, SourceKind
from app.library.connectors import registry
from app.library.connectors.protocol import Gone, ItemError, Skipped
from app.library.models import Document, DocumentVersion, Run, RunItem, Source
from app.library.selectors.sources import run_payload
from app.library.services.runs import SOURCE_RUN, run_cancel, run_start
from app.library.services.sources import source_create, source_delete, source_update
from app.library.tests.mails import mail
from app.library.tests.shelf import Shelf, shelf
from tests.people import Person

__all__ = ["shelf"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source(acme: Organisation, shelf: Shelf) -> Source:
    return source_create(organisation=acme, name="Shelf", kind=SourceKind.PUSH)


def read(source: Source) -> Run:
    """Run a source to its end, and ingest its documents."""
    run = run_start(organisation=source.organisation_id, source=source)
    jobs_run()
    run.refresh_from_db()
    return run


def outcomes(run: Run) -> dict[str, str]:
    return dict(RunItem.objects.filter(run=run).values_list("external_id", "outcome"))


def counts(run: Run) -> dict[str, int]:
    return {name: count for name, count in run_payload(run)["counts"].items() if count}


def test_every_kind_of_source_has_one_connector() -> None:
    assert set(registry.connectors_all()) == set(SourceKind)
    for connector in registry.connectors_all().values():
        assert connector.about.endswith(".")
        assert connector.Settings.model_config.get("extra") == "forbid"


def test_every_outcome_counts_as_something() -> None:
    own = {Outcome.READ, Outcome.UNCHANGED, Outcome.REMOVED}
    assert own | set(SKIPPED) | set(FAILURES) == set(Outcome)
    assert len(own) + len(SKIPPED) + len(FAILURES) == len(Outcome)


def test_a_run_removes_files_inside_a_document_only_with_it(source: Source, shelf: Shelf) -> None:
    shelf.texts = {"a": mail("Offer", "See below.", ("prices.csv", b"Berth,Price")).as_string(), "b": "Open."}
    read(source)
    assert set(Document.objects.values_list("external_id", flat=True)) == {"a", "a/prices.csv", "b"}
    run = read(source)
    assert counts(run) == {"seen": 2, "unchanged": 2}
    assert Document.objects.count() == 3
    del shelf.texts["a"]
    assert counts(read(source)) == {"seen": 2, "unchanged": 1, "removed": 1}
    assert set(Document.objects.values_list("external_id", flat=True)) == {"b"}


def test_a_run_brings_what_is_new_replaces_what_changed_and_removes_what_is_gone(
    source: Source, shelf: Shelf, alice: Person
) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine.", "b": "The harbour is closed.", "c": "Nobody knows."}
    run = read(source)
    assert (run.state, counts(run)) == ("done", {"seen": 3, "read": 3})
    assert set(Document.objects.values_list("external_id", "name", "url", "state")) == {
        (name, f"{name}.md", f"https://example.org/{name}", "ready") for name in "abc"
    }
    shelf.texts |= {"b": "The harbour is open."}
    del shelf.texts["c"]
    run = read(source)
    assert outcomes(run) == {"a": "unchanged", "b": "read", "c": "removed"}
    assert counts(run) == {"seen": 3, "read": 1, "unchanged": 1, "removed": 1}
    assert set(Document.objects.values_list("external_id", "version")) == {("a", 1), ("b", 2)}
    shown = run_payload(run)
    assert (shown["source"], shown["error"]) == (str(source.pk), None)
    assert shown["started"] <= shown["ended"]
    assert shown["per_second"] > 0
    # A run makes one entry of the trail, however many documents it reads.
    actions = list(AuditEntry.objects.order_by("number").values_list("action", flat=True))
    assert actions.count("source.run") == 2
    assert "document.upload" not in actions


def test_what_has_not_changed_is_not_fetched_whole(source: Source, shelf: Shelf) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine."}
    read(source)
    shelf.asked.clear()
    read(source)
    assert shelf.asked == [("a", DocumentVersion.objects.get().etag)]
    # A document that could not be read is fetched again, since its bytes were not used.
    shelf.texts = {"a": "   "}
    read(source)
    assert Document.objects.get().state == "failed"
    shelf.asked.clear()
    read(source)
    assert shelf.asked == [("a", "")]


def test_an_item_that_cannot_be_read_does_not_lose_the_others(source: Source, shelf: Shelf) -> None:
    shelf.texts = {
        "gone": ItemError(Outcome.HTTP_ERROR, "Its server says no.", status=403),
        "empty": "",
        "good": "The lighthouse opens at nine.",
    }
    shelf.besides = [Skipped("private", Outcome.ROBOTS, "https://example.org/private", "robots.txt forbids it.")]
    run = read(source)
    assert outcomes(run) == {"gone": "http_error", "empty": "failed", "good": "read", "private": "robots"}
    assert counts(run) == {"seen": 4, "read": 1, "failed": 2, "skipped": 1}
    item = RunItem.objects.get(run=run, external_id="gone")
    assert (item.status, item.detail) == (403, "Its server says no.")
    assert RunItem.objects.get(run=run, external_id="empty").detail == "The file is empty."


def test_a_document_that_could_not_be_fetched_stays_and_one_that_is_left_out_goes(source: Source, shelf: Shelf) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine.", "b": "The harbour is closed."}
    read(source)
    shelf.texts = {"a": ItemError(Outcome.TIMEOUT, "It took too long.")}
    shelf.besides = [Skipped("b", Outcome.PATTERN)]
    run = read(source)
    assert outcomes(run) == {"a": "timeout", "b": "removed"}
    assert counts(run) == {"seen": 2, "failed": 1, "removed": 1}
    assert list(Document.objects.values_list("external_id", flat=True)) == ["a"]


def test_a_listing_that_is_not_whole_removes_only_what_it_names_as_gone(source: Source, shelf: Shelf) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine.", "b": "The harbour is closed.", "c": "Nobody knows."}
    read(source)
    shelf.texts, shelf.besides, shelf.complete = {}, [Gone("b"), Gone("never there")], False
    run = read(source)
    assert outcomes(run) == {"b": "removed"}
    assert set(Document.objects.values_list("external_id", flat=True)) == {"a", "c"}


def test_a_source_that_names_nothing_at_all_removes_nothing(source: Source, shelf: Shelf, alice: Person) -> None:
    """Keep the documents: a broken listing looks like an empty one."""
    shelf.texts = {"a": "The lighthouse opens at nine."}
    read(source)
    shelf.texts = {}
    run = read(source)
    assert (run.state, run.error_code) == ("failed", "source_empty")
    assert Document.objects.count() == 1
    shown = alice.client.get(f"/api/v1/runs/{run.pk}").json()
    assert shown["error"]["hint"].startswith("Check its settings.")


def test_a_cursor_is_kept_when_a_run_ends_and_forgotten_when_settings_change(
    acme: Organisation, source: Source, shelf: Shelf
) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine.", "b": "The harbour is closed."}
    read(source)
    read(source)
    assert shelf.cursors == [None, {"after": 1}]
    source_update(organisation=acme, source=source, changes={"settings": {"texts": {"c": "Nobody knows."}}})
    read(source)
    assert shelf.cursors[-1] is None


def test_a_run_that_is_cut_short_goes_on_behind_what_it_has_dealt_with(source: Source, shelf: Shelf) -> None:
    def die() -> Exception:
        raise KeyboardInterrupt

    shelf.texts = {"a": "The lighthouse opens at nine.", "b": die, "c": "Nobody knows."}
    run = run_start(organisation=source.organisation_id, source=source)
    job = Job.objects.get(kind=SOURCE_RUN)
    with pytest.raises(KeyboardInterrupt):
        job_run(job=job.pk)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
    shelf.texts["b"] = "The harbour is closed."
    shelf.asked.clear()
    assert job_run(job=job.pk)
    run.refresh_from_db()
    assert (run.state, counts(run)) == ("done", {"seen": 3, "read": 3})
    assert [name for name, _ in shelf.asked] == ["b", "c"]
    assert shelf.cursors == [None, {"after": 0}]


def test_a_source_whose_server_is_away_is_waited_for_and_one_that_refuses_fails(source: Source, shelf: Shelf) -> None:
    shelf.broken = Upstream("storage_unavailable")
    run = run_start(organisation=source.organisation_id, source=source)
    jobs_run()
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("queued", "storage_unavailable")
    Job.objects.update(not_before=None)
    shelf.broken = RefdeskError("bad_credentials")
    jobs_run()
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "bad_credentials")
    assert run.ended is not None


def test_while_a_run_is_open_another_start_is_that_one(acme: Organisation, source: Source, shelf: Shelf) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine."}
    first, second = (run_start(organisation=acme.pk, source=source) for _ in range(2))
    assert first.pk == second.pk
    assert Job.objects.filter(kind=SOURCE_RUN).count() == 1
    jobs_run()
    assert run_start(organisation=acme.pk, source=source).pk != first.pk


def test_a_run_that_is_cancelled_keeps_what_it_has_read(source: Source, shelf: Shelf) -> None:
    run = run_start(organisation=source.organisation_id, source=source)

    def cancel() -> str:
        run_cancel(run=run)
        return "The harbour is closed."

    shelf.texts = {"a": "The lighthouse opens at nine.", "b": cancel, "c": "Nobody knows."}
    jobs_run()
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("cancelled", "cancelled")
    assert outcomes(run) == {"a": "read"}
    assert Document.objects.filter(external_id="a", state="ready").exists()


def test_the_schedule_reads_a_source_when_its_time_has_come(acme: Organisation, source: Source, shelf: Shelf) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine."}
    source_update(organisation=acme, source=source, changes={"preset": "daily", "time_zone": "Europe/London"})
    row = Schedule.objects.get(name=source.schedule_name)
    assert (row.cron, row.time_zone) == (f"{source.pk.int % 60} 3 * * *", "Europe/London")
    Schedule.objects.filter(pk=row.pk).update(next_run=timezone.now())
    assert schedule_run() == 1
    jobs_run()
    run = Run.objects.get()
    assert (run.state, counts(run)) == ("done", {"seen": 1, "read": 1})
    # A source with an open run gets no second one.
    run_start(organisation=acme.pk, source=source)
    Schedule.objects.filter(pk=row.pk).update(next_run=timezone.now())
    schedule_run()
    scheduled = Job.objects.filter(kind=SOURCE_RUN, state="queued").latest("created")
    assert job_run(job=scheduled.pk)
    assert Run.objects.count() == 2
    source_update(organisation=acme, source=source, changes={"preset": "off"})
    assert not Schedule.objects.filter(name=source.schedule_name).exists()


def test_a_scheduled_run_can_be_cancelled_before_and_while_it_runs(
    acme: Organisation, source: Source, shelf: Shelf
) -> None:
    def cancel() -> str:
        job_cancel(job=Job.objects.get(kind=SOURCE_RUN, state="running"))
        return "The harbour is closed."

    shelf.texts = {"a": cancel, "b": "Nobody knows."}
    source_update(organisation=acme, source=source, changes={"preset": "hourly"})
    for _ in range(2):
        Schedule.objects.filter(name=source.schedule_name).update(next_run=timezone.now())
        schedule_run()
        if not Job.objects.filter(kind=SOURCE_RUN, state="cancelled").exists():
            job_cancel(job=Job.objects.get(kind=SOURCE_RUN))
        jobs_run()
    assert list(Job.objects.filter(kind=SOURCE_RUN).values_list("state", flat=True)) == ["cancelled"] * 2
    assert Run.objects.get().state == "cancelled"


def test_a_deleted_source_leaves_no_run_no_schedule_and_no_document(
    acme: Organisation, source: Source, shelf: Shelf
) -> None:
    shelf.texts = {"a": "The lighthouse opens at nine."}
    source_update(organisation=acme, source=source, changes={"preset": "hourly"})
    read(source)
    run_start(organisation=acme.pk, source=source)
    assert source_delete(organisation=acme.pk, source=source) == 1
    assert not Run.objects.exists()
    assert not Schedule.objects.filter(organisation=acme).exists()
    assert Job.objects.get(kind=SOURCE_RUN, state="cancelled")
    jobs_run()
    assert not Document.objects.exists()


def test_documents_are_not_brought_to_a_source_that_is_read_by_itself(alice: Person, source: Source) -> None:
    body = {"external_id": "x", "name": "x", "text": "x"}
    answers = [
        alice.client.post(f"/api/v1/sources/{source.pk}/documents", body, content_type="application/json"),
        alice.client.delete(f"/api/v1/sources/{source.pk}/documents/x"),
        alice.client.post("/api/v1/documents", {"file": io.BytesIO(b"x"), "source": "Shelf"}),
    ]
    assert [answer.status_code for answer in answers] == [409] * 3
