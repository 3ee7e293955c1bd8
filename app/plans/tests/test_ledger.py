"""The ledger's statements at the same time: caps hold to the last request, and totals are the entries' sums."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection
from django.db.models import Sum

from app.accounts.models import ApiKey, Organisation
from app.lib.ids import new_id
from app.lib.tenancy import everything_visible
from app.plans.caps import is_cap
from app.plans.ledger import SEARCH_CHARGED
from app.plans.models import Plan, UsageEntry, UsageTotal
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 12


def charge(organisation: UUID, api_key: UUID | None) -> bool:
    """Charge one search and return whether the caps allow it."""
    values = {"entry": new_id(), "organisation": organisation, "bot": None, "api_key": api_key, "user": None}
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {SEARCH_CHARGED} SELECT 1", values)
    except IntegrityError as error:
        if not is_cap(error.__cause__):
            raise
        return False
    return True


def at_once(work: Callable[[int], bool], count: int) -> int:
    """Run the calls in threads with a connection each, and return how many succeeded."""

    def share(first: int) -> int:
        try:
            with everything_visible():
                return sum(work(n) for n in range(first, count, THREADS))
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(share, range(THREADS)))


def totals() -> dict[UUID | None, int]:
    return dict(UsageTotal.objects.values_list("api_key", "requests"))


def test_charges_of_the_same_moment_do_not_pass_a_cap(acme: Organisation) -> None:
    plan = Plan.objects.create(name="small", title="Small", requests_per_month=150)
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    assert at_once(lambda _: charge(acme.pk, None), 600) == 150
    assert UsageEntry.objects.count() == 150
    assert totals() == {None: 150}


def test_two_keys_and_their_organisation_keep_their_caps_side_by_side(
    alice: Person, bob: Person, acme: Organisation
) -> None:
    plan = Plan.objects.create(name="small", title="Small", requests_per_month=200)
    own = Plan.objects.create(name="own", title="Own", requests_per_month=60)
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    ApiKey.objects.filter(name="bob").update(plan=own)
    keys = dict(ApiKey.objects.values_list("name", "pk"))
    callers: list[Any] = [keys["alice"], keys["bob"], None]
    # 200 in all, at most 60 of them by bob's key; requests that a key's cap refused took nothing from the others.
    assert at_once(lambda n: charge(acme.pk, callers[n % 3]), 900) == 200
    sums_by_key = totals()
    assert sums_by_key[None] == 200
    assert sums_by_key[keys["bob"]] <= 60
    sums = dict(UsageEntry.objects.values_list("api_key").annotate(Sum("requests")))
    assert [sums_by_key[key] for key in keys.values()] == [sums[key] for key in keys.values()]
    assert UsageEntry.objects.count() == 200


def test_a_keys_cap_is_exact_while_the_organisation_has_room(bob: Person, acme: Organisation) -> None:
    own = Plan.objects.create(name="own", title="Own", requests_per_month=60)
    ApiKey.objects.filter(name="bob").update(plan=own)
    key = ApiKey.objects.get(name="bob").pk
    assert at_once(lambda _: charge(acme.pk, key), 240) == 60
    assert totals() == {None: 60, key: 60}


def test_a_statement_of_another_organisation_is_not_counted_here(acme: Organisation, other: Organisation) -> None:
    plan = Plan.objects.create(name="small", title="Small", requests_per_month=1)
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    assert [charge(acme.pk, None), charge(acme.pk, None), charge(other.pk, None)] == [True, False, True]
