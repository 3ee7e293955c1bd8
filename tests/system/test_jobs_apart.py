"""However many long jobs of one kind there are, in however many organisations: no other kind waits for them."""

import threading
from collections import Counter
from typing import Any

import pytest

from app.accounts.services import organisation_create
from app.jobs.active_job import ActiveJob
from app.jobs.registry import kinds_all
from app.jobs.services import job_create
from app.jobs.tests.running import worker_threads
from app.lib.ids import new_id
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = sorted(kind.kind for kind in kinds_all())


class Runs:
    """Body of every kind in this test: the long one runs until it is released, the others do nothing."""

    def __init__(self, long: str) -> None:
        self.long = long
        self.begun: Counter[str] = Counter()
        self.end = threading.Event()

    def run(self, context: ActiveJob) -> None:
        name = context.lease.kind.kind
        self.begun[name] += 1
        if name == self.long:
            self.end.wait(60)


@pytest.mark.parametrize("long", KINDS)
def test_long_jobs_of_a_kind_delay_no_other_kind(long: str, monkeypatch: pytest.MonkeyPatch, db: Any) -> None:
    runs = Runs(long)
    kinds = {kind.kind: kind for kind in kinds_all()}
    for kind in kinds.values():
        monkeypatch.setattr(kind, "run", runs.run, raising=False)
        for hook in ("on_state", "on_progress", "on_lease_lost"):
            monkeypatch.setattr(kind, hook, lambda *_: None, raising=False)
    organisations = [organisation_create(slug=f"org-{number}").pk for number in range(3)]
    with worker_threads():
        try:
            for _ in range(4):
                for organisation in organisations:
                    job_create(kind=long, organisation=organisation, subject=new_id())
            wait_until(lambda: runs.begun[long] == kinds[long].at_once, limit_s=20, what=f"{long} at work")
            others = [name for name in KINDS if name != long]
            for name in others:
                job_create(kind=name, organisation=organisations[0], subject=new_id())
            wait_until(lambda: all(runs.begun[name] for name in others), limit_s=20, what=f"the others beside {long}")
            assert runs.begun[long] == kinds[long].at_once
        finally:
            runs.end.set()
        wait_until(lambda: runs.begun[long] == 12, limit_s=40, what="all of them")
