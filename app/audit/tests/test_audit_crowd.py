"""Many writers on one chain: no gap, no fork, and nobody waits long."""

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
    """Seconds that each entry's own transaction took. Every third one is undone, after it had its number."""
    spent = []
    try:
        for number in range(EACH):
            begun = time.perf_counter()
            with transaction.atomic():
                audit_record(organisation=organisation, action="test.done", target=f"{writer}-{number}")
                if number % 3 == 2:
                    transaction.set_rollback(True)
            spent.append(time.perf_counter() - begun)
    finally:
        connections.close_all()
    return spent


@pytest.mark.django_db(transaction=True)
def test_fifty_writers_at_once_make_one_chain() -> None:
    organisation: Organisation = organisation_create(slug="crowd")
    with ThreadPoolExecutor(WRITERS) as pool:
        spent = list(chain.from_iterable(pool.map(lambda writer: write(organisation.pk, writer), range(WRITERS))))
    kept = [number for number in range(EACH) if number % 3 != 2]
    made = AuditEntry.objects.filter(organisation=organisation, action="test.done")
    wanted = {f"{writer}-{number}" for writer in range(WRITERS) for number in kept}
    assert sorted(made.values_list("target", flat=True)) == sorted(wanted)
    report = audit_verify(organisation=organisation.pk)
    assert (report.whole, report.number) == (True, 1 + len(wanted))
    # 50 wait in one line: 500 entries in line take about two seconds on two busy cores.
    assert max(spent) < 30


@pytest.mark.django_db(transaction=True)
def test_the_first_entries_of_a_chain_are_written_by_several_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda writer: write(UUID(int=7), writer), range(8)))
    assert audit_verify(organisation=UUID(int=7)).whole
