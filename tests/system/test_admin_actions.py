"""Actions on a row of the admin: confirmed first, by POST only, by those who may, and audited."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import ApiKey, ClaimRule, Membership, Organisation, SignIn, User
from app.accounts.services import membership_create, user_create
from app.audit.models import AuditEntry
from app.bots.models import Bot, BotRevision
from app.bots.services import bot_pause, bot_update
from app.jobs.models import Job
from app.library.models import Document
from app.llm.models import EmbeddingChange
from tests.documents import document_row
from tests.factories import Tenant, tenant_make
from tests.people import PASSWORD, Person
from tests.snapshot import changes, snapshot


@pytest.fixture
def mine(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


@pytest.fixture
def foreign(charlie: Person) -> Tenant:
    return tenant_make(charlie, word="submarine")


@pytest.fixture
def operator(db: Any) -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


@dataclass
class Case:
    """An action, its row, the values sent, and a condition that holds afterwards."""

    name: str
    row: Any
    audited: str
    done: Callable[[], bool]
    sent: dict[str, str]
    operators_only: bool = False

    @property
    def address(self) -> str:
        return address(self.row, self.name)


def address(row: Any, name: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", kwargs={"object_id": row.pk})


def fresh(row: Any) -> Any:
    return type(row)._default_manager.filter(pk=row.pk).first()


def cases(tenant: Tenant, person: Person) -> list[Case]:
    """Return the cases, with their rows in the states that the actions need."""
    document, bot, key, member = tenant.document, tenant.bot, tenant.api_key, Membership.objects.get(user=person.user)
    failed = document_row(tenant.source, f"{tenant.word}-2.txt")
    Document.objects.filter(pk=document.pk).update(state="failed", error_code="broken_file")
    bot_update(organisation=person.organisation.pk, bot=bot, settings={"temperature": 0.9})
    first = BotRevision.objects.get(bot=bot, number=1)
    paused = Bot.objects.create(
        organisation=person.organisation, slug="p", name=f"{tenant.word} p", paused=timezone.now()
    )
    elsewhere = Client()
    elsewhere.force_login(person.user)
    SignIn.objects.create(user=person.user, session_key=elsewhere.session.session_key)
    signed_in = SignIn.objects.filter(user=person.user)
    broken, waiting = (
        Job.objects.create(organisation=person.organisation, kind="retention", lane="slow", state=state)
        for state in ("failed", "queued")
    )
    return [
        Case("retry_this", broken, "job.retry", lambda: fresh(broken).state == "queued", {}),
        Case("cancel_this", waiting, "job.cancel", lambda: fresh(waiting).state == "cancelled", {}),
        Case("retry_this", document, "document.retry", lambda: fresh(document).state == "queued", {}),
        Case("cancel_this", failed, "document.cancel", lambda: fresh(failed).state == "cancelled", {}),
        Case("pause", bot, "bot.pause", lambda: fresh(bot).paused is not None, {}),
        Case("resume", paused, "bot.resume", lambda: fresh(paused).paused is None, {}),
        Case("restore", first, "bot.restore", lambda: BotRevision.objects.filter(bot=bot).count() == 3, {}),
        Case("rotate", key, "api_key.rotate", lambda: fresh(key).replaced_by is not None, {"overlap": "7"}),
        Case("revoke_this", key, "api_key.revoke", lambda: fresh(key).revoked is not None, {}),
        Case("test", tenant.endpoint, "endpoint.test", lambda: fresh(tenant.endpoint).healthy is not None, {}),
        Case("withdraw", tenant.invitation, "invitation.withdraw", lambda: fresh(tenant.invitation) is None, {}),
        Case("sign_out", member, "user.sessions_end", lambda: not signed_in.exists(), {}),
        Case(
            "suspend",
            person.organisation,
            "organisation.suspend",
            lambda: fresh(person.organisation).suspended is not None,
            {},
            operators_only=True,
        ),
    ]


def test_every_action_of_a_row_is_tried_here(alice: Person, mine: Tenant) -> None:
    tried = {(type(case.row), case.name) for case in cases(mine, alice)}
    tried |= {(Organisation, "reopen"), (User, "sign_out"), (User, "password_new_this"), (User, "password_link")}
    # Each in its own state: app/library/tests/test_embedding_change.py.
    tried |= {(EmbeddingChange, name) for name in ("start", "pause", "resume", "switch", "drop", "abandon")}
    offered = {
        (model, name)
        for model, page in admin.site._registry.items()
        for name in {*page.actions_row, *page.actions_detail}  # type: ignore[attr-defined]
    }
    assert offered == tried


def test_an_action_is_asked_first_then_done_and_audited(alice: Person, mine: Tenant, operator: Client) -> None:
    for case in cases(mine, alice):
        client = operator if case.operators_only else alice.client
        page = client.get(case.address)
        assert (case.name, page.status_code) == (case.name, 200)
        assert "csrfmiddlewaretoken" in page.content.decode()
        assert not case.done(), f"{case.name} was done by looking at it"
        client.post(case.address, case.sent)
        assert case.done(), case.name
        assert AuditEntry.objects.filter(action=case.audited).exists(), case.name


def test_without_the_token_of_our_own_page_nothing_is_done(alice: Person, mine: Tenant) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice.user)
    for case in cases(mine, alice):
        assert strict.post(case.address, case.sent).status_code == 403
        assert not case.done()


def test_rows_of_others_cannot_be_acted_on(alice: Person, charlie: Person, bob: Person, foreign: Tenant) -> None:
    tried = cases(foreign, charlie)
    before = snapshot()
    for case in tried:
        for method in (alice.client.get, alice.client.post):
            assert (case.name, method(case.address, case.sent).status_code) == (case.name, 404)
        bob.client.post(case.address, case.sent)
    assert changes(before, snapshot()) == []


def test_an_admin_does_nothing_to_who_stands_above(acme: Organisation, alice: Person, bob: Person) -> None:
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    hers = Membership.objects.get(user=alice.user)
    key = ApiKey.objects.get(name="alice")
    Client().force_login(alice.user)
    for row, name, sent in ((hers, "sign_out", {}), (key, "rotate", {"overlap": "0"}), (key, "revoke_this", {})):
        response = bob.client.post(address(row, name), sent, follow=True)
        assert "role" in response.content.decode()
    assert fresh(key).state == "valid"
    assert bob.client.get(address(acme, "suspend")).status_code == 403
    assert bob.client.post(address(acme, "suspend")).status_code == 403
    assert fresh(acme).suspended is None


def test_what_cannot_be_done_now_is_not_offered_and_said_when_asked(alice: Person, mine: Tenant) -> None:
    bot_pause(organisation=alice.organisation.pk, bot=mine.bot.pk)
    page = alice.client.get(reverse("admin:bots_bot_change", args=[mine.bot.pk])).content.decode()
    assert address(mine.bot, "resume") in page
    assert address(mine.bot, "pause") not in page
    assert "There is nothing to do" in alice.client.get(address(mine.bot, "pause")).content.decode()
    Document.objects.filter(pk=mine.document.pk).update(state="queued")
    response = alice.client.post(address(mine.document, "cancel_this"), follow=True)
    assert "is cancelled" in response.content.decode()
    response = alice.client.post(address(mine.document, "cancel_this"), follow=True)
    assert "Nothing is being done with this document." in response.content.decode()


def test_a_rotated_key_is_shown_once_and_the_old_one_works_as_long_as_chosen(alice: Person, mine: Tenant) -> None:
    response = alice.client.post(address(mine.api_key, "rotate"), {"overlap": "7"})
    made = ApiKey.objects.get(replaces=mine.api_key)
    assert f"{made.prefix}" in response.content.decode()
    assert fresh(mine.api_key).expires - timezone.now() > timedelta(days=6)
    assert "Replaced" in alice.client.get(reverse("admin:accounts_apikey_changelist")).content.decode()
    wrong = alice.client.post(address(made, "rotate"), {"overlap": "400"}, follow=True)
    assert "Choose when the old key stops working." in wrong.content.decode()


def test_an_operator_opens_a_suspended_organisation_again(operator: Client, alice: Person) -> None:
    operator.post(address(alice.organisation, "suspend"))
    assert fresh(alice.organisation).suspended is not None
    operator.post(address(alice.organisation, "reopen"))
    assert fresh(alice.organisation).suspended is None


def test_an_operator_signs_a_person_out_and_gives_a_password(operator: Client, alice: Person, bob: Person) -> None:
    for name in ("sign_out", "password_new_this"):
        assert alice.client.get(address(bob.user, name)).status_code == 403
        assert operator.post(address(bob.user, name)).status_code in (200, 302)
    assert not User.objects.get(pk=bob.user.pk).check_password(PASSWORD)
    assert AuditEntry.objects.filter(action="user.sessions_end", organisation=None).exists()


def test_an_owner_sees_the_sign_in_rules_and_only_an_operator_makes_one(
    alice: Person, operator: Client, mine: Tenant
) -> None:
    rules = ClaimRule.objects.filter(organisation=alice.organisation)
    before = list(rules.values())
    assert alice.client.get("/admin/accounts/claimrule/").status_code == 200
    form = {"organisation": str(alice.organisation.pk), "claim": "groups", "value": "everybody", "role": "viewer"}
    assert alice.client.post("/admin/accounts/claimrule/add/", form).status_code == 403
    change = f"/admin/accounts/claimrule/{mine.claim_rule.pk}/change/"
    assert alice.client.post(change, {**form, "value": "all"}).status_code == 403
    assert list(rules.values()) == before
    assert operator.post("/admin/accounts/claimrule/add/", form).status_code == 302
    assert rules.count() == len(before) + 1
