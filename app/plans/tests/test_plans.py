"""Plans: maintained by operators, assigned to organisations and keys."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from app.accounts.models import ApiKey, Organisation
from app.accounts.services import user_create
from app.audit.models import AuditEntry
from app.errors import Conflict, Invalid
from app.plans.models import Plan
from app.plans.services import SHIPPED, plan_create, plan_delete, plan_update
from tests.people import PASSWORD, Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


def test_three_plans_are_shipped() -> None:
    assert dict(Plan.objects.values_list("name", "requests_per_minute")) == {
        name: most for name, (_, most) in SHIPPED.items()
    }


@pytest.mark.parametrize("plan", ["free", "standard", "unlimited"])
def test_the_commands_take_the_shipped_plans(plan: str) -> None:
    call_command("organisation_create", "beta", "--plan", plan, stdout=StringIO())
    call_command("api_key_create", "--organisation", "beta", "--name", "demo", "--plan", plan, stdout=StringIO())
    assert Organisation.objects.get(slug="beta").plan_id == plan
    assert ApiKey.objects.get().plan_id == plan


def test_an_unknown_plan_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match=r"There is no plan .gold..* free, standard, unlimited"):
        call_command("organisation_create", "beta", "--plan", "gold")
    assert not Organisation.objects.exists()


def test_plans_are_made_changed_and_removed_and_the_trail_says_so(acme: Organisation) -> None:
    plan_create(name="small", values={"title": "Small", "requests_per_minute": 5})
    plan_update(name="small", values={"requests_per_minute": 6})
    with pytest.raises(Conflict):
        plan_create(name="small", values={"title": "Again"})
    with pytest.raises(Invalid):
        plan_update(name="small", values={"soft_percent": 101})
    Organisation.objects.filter(pk=acme.pk).update(plan="small")
    with pytest.raises(Conflict, match="has this plan"):
        plan_delete(name="small")
    Organisation.objects.filter(pk=acme.pk).update(plan="free")
    plan_delete(name="small")
    with pytest.raises(Conflict, match="ships this plan"):
        plan_delete(name="unlimited")
    entries = AuditEntry.objects.filter(organisation=None, target_kind="plan").order_by("number")
    assert list(entries.values_list("action", flat=True)) == ["plan.create", "plan.update", "plan.delete"]
    assert entries[1].detail.content["after"] == {"requests_per_minute": 6}


def test_operators_change_plans_and_give_them(operator: Client, acme: Organisation) -> None:
    form = {"title": "Free", "requests_per_minute": "50", "requests_per_month": "1000", "soft_percent": "80"}
    assert operator.post("/admin/plans/plan/free/change/", form).status_code == 302
    plan = Plan.objects.get(pk="free")
    assert (plan.requests_per_minute, plan.requests_per_month) == (50, 1000)
    form = {"name": "large", "title": "Large", "requests_per_minute": "5000", "soft_percent": "90"}
    assert operator.post("/admin/plans/plan/add/", form).status_code == 302
    assert Plan.objects.get(pk="large").requests_per_minute == 5000
    page = operator.get("/admin/plans/plan/").content.decode()
    assert "5,000" in page
    address = f"/admin/accounts/organisation/{acme.pk}/change/"
    form = _form(operator.get(address))
    assert operator.post(address, {**form, "plan": "large"}).status_code == 302
    assert Organisation.objects.get(pk=acme.pk).plan_id == "large"


def _form(response: Any) -> dict[str, Any]:
    form = response.context["adminform"].form
    return {name: "" if form[name].value() is None else form[name].value() for name in form.fields}


def test_admins_of_an_organisation_see_their_plan_and_no_other(alice: Person, acme: Organisation) -> None:
    Plan.objects.create(name="other-customer", title="Made for somebody else")
    page = alice.client.get("/admin/plans/plan/").content.decode()
    assert "Unlimited" in page
    assert "Standard" not in page
    assert "Made for somebody else" not in page
    assert alice.client.get("/admin/plans/plan/free/change/").status_code in (302, 404)
    form = {"title": "Mine", "requests_per_minute": "", "soft_percent": "80"}
    assert alice.client.post("/admin/plans/plan/unlimited/change/", form).status_code == 403
    assert Plan.objects.get(pk="unlimited").title == "Unlimited"
    address = f"/admin/accounts/organisation/{acme.pk}/change/"
    page = alice.client.get(address)
    assert "Unlimited" in page.content.decode()
    assert "Made for somebody else" not in page.content.decode()
    alice.client.post(address, {**_form(page), "plan": "free"})
    assert Organisation.objects.get(pk=acme.pk).plan_id == "unlimited"
    assert "Made for somebody else" not in alice.client.get("/admin/accounts/apikey/add/").content.decode()
