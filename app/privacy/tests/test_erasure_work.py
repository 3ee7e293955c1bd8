"""Erasures whose worker is killed, that meet a worker reading a document, or that wait for an unavailable engine."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.accounts.models import (
    Membership,
    Organisation,
)
from app.jobs.models import Job
from app.jobs.tests.probes import leases_age
from app.library.models import EmbeddingCache
from app.library.tests.stores import upload
from app.library.tests.workers import worker, worker_kill, worker_start
from app.privacy.erasure.receipts import receipt_is_ours
from app.privacy.tests.canaries import CANARY, empty, erase, erasure_of_acme, hits, leftovers, run_all, tenant
from tests.factories import Tenant
from tests.people import Person
from tests.waiting import wait_until

__all__ = ["empty", "tenant"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "worker.log").touch()
    yield tmp_path / "worker.log"
    print((tmp_path / "worker.log").read_text()[-5000:])  # noqa: T201 (shown with a failure)


def test_killed_in_the_middle_an_erasure_is_finished_by_the_next_worker(
    tenant: Tenant, acme: Organisation, alice: Person, log: Path
) -> None:
    assert erase(alice, organisation="acme", confirm="acme").status_code == 202
    process = worker_start(log)
    # The rows are gone and the worker is in its pause; vectors and files may or may not be there.
    wait_until(lambda: not Organisation.objects.filter(pk=acme.pk).exists(), what="rows gone")
    worker_kill(process, signal.SIGKILL)
    assert erasure_of_acme().state == "running"
    leases_age()
    with worker(log):
        wait_until(lambda: erasure_of_acme().state == "done", what="erasure done")
    erasure = erasure_of_acme()
    assert Job.objects.get(kind="erasure").attempt == 2
    assert erasure.receipt["stores"]["postgresql"]["chat_message"]["before"] == 2
    assert receipt_is_ours(erasure.receipt)
    assert CANARY not in log.read_text()
    assert hits(CANARY) == []
    assert leftovers(acme) == []


def test_an_organisation_is_erased_while_a_worker_reads_its_documents(
    acme: Organisation, alice: Person, log: Path
) -> None:
    text = "\n\n".join(f"# {CANARY} {n}\n\nThe {CANARY} number {n} travels to depot {n}. " * 3 for n in range(200))
    upload(acme, f"{CANARY}.md", text.encode())
    with worker(log):
        wait_until(lambda: EmbeddingCache.objects.exists(), what="embedding")
        assert erase(alice, organisation="acme", confirm="acme").status_code == 202
        wait_until(lambda: erasure_of_acme().state == "done", what="erasure done")
    assert hits(CANARY) == []
    assert leftovers(acme) == []
    assert not Membership.objects.exists()
    assert CANARY not in log.read_text()


def test_search_that_is_away_is_waited_for(tenant: Tenant, alice: Person, settings: Any) -> None:
    address = settings.QDRANT_URL
    settings.QDRANT_URL = "http://127.0.0.1:9"
    erase(alice, organisation="acme", confirm="acme")
    run_all()
    row = erasure_of_acme()
    assert (row.state, row.error_code, row.receipt) == ("queued", "search_unavailable", None)
    settings.QDRANT_URL = address
    Job.objects.update(not_before=None)
    run_all()
    assert erasure_of_acme().state == "done"
    assert os.environ["REFDESK_QDRANT_URL"] == address
