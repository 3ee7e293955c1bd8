"""Many writers on one chain: no gap, no fork, and no writer waits long."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from uuid import UUID

import pytest
from django.db import connections, transaction

from app.accounts.models import Organisation
from app.accounts.services import organisation_create
from app.audit.models import AuditEntry
from app.audit.trail import audit_record
from app.audit.verify import audit_verify

WRITERS, EACH = 50, 10


def write(organisation: UUID, writer: int) -> list[float]:
    """Write entries, of which every third is rolled back, and return the seconds of each transaction."""
    seconds = []
    try:
        for number in range(EACH):
            started = time.perf_counter()
            with transaction.atomic():
                audit_record(organisation=organisation, action="test.done", target=f"{writer}-{number}")
                if number % 3 == 2:
                    transaction.set_rollback(True)
            seconds.append(time.perf_counter() - started)
    finally:
        connections.close_all()
    return seconds


@pytest.mark.django_db(transaction=True)
def test_fifty_writers_at_once_make_one_chain() -> None:
    organisation: Organisation = organisation_create(slug="crowd")
    with ThreadPoolExecutor(WRITERS) as pool:
        seconds = list(chain.from_iterable(pool.map(lambda writer: write(organisation.pk, writer), range(WRITERS))))
    numbers = [number for number in range(EACH) if number % 3 != 2]
    rows = AuditEntry.objects.filter(organisation=organisation, action="test.done")
    targets = {f"{writer}-{number}" for writer in range(WRITERS) for number in numbers}
    assert sorted(rows.values_list("target", flat=True)) == sorted(targets)
    report = audit_verify(organisation=organisation.pk)
    assert (report.is_whole, report.number) == (True, 1 + len(targets))
    # 50 writers in one queue: 500 entries in a row take about two seconds on two busy cores.
    assert max(seconds) < 30


@pytest.mark.django_db(transaction=True)
def test_the_first_entries_of_a_chain_are_written_by_several_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda writer: write(UUID(int=7), writer), range(8)))
    assert audit_verify(organisation=UUID(int=7)).is_whole
