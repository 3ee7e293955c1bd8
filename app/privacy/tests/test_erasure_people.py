"""Erasure of a person from one organisation or from all, without changing anybody else's data."""

import pytest

from app.accounts.choices import Role
from app.accounts.models import (
    Identity,
    Invitation,
    Organisation,
    SignIn,
    User,
)
from app.accounts.services import membership_create
from app.audit.trail import audit_details_erase, audit_record
from app.chat.models import Conversation, Message
from app.jobs.tests.running import jobs_run
from app.lib.storage import exports_storage, storage
from app.library.models import Document
from app.privacy.erasure.receipts import fingerprint, receipt_is_ours
from app.privacy.models import Erasure, Export
from app.privacy.tests.canaries import CANARY, empty, erase, hits, receipt_of, run_all
from tests.factories import tenant_make
from tests.people import Person
from tests.snapshot import changes, snapshot

__all__ = ["empty"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob_here(acme: Organisation, alice: Person, bob: Person) -> Conversation:
    """Make Bob's data, each row with the canary."""
    tenant = tenant_make(alice, word="lighthouse")
    second = tenant_make(Person(bob.user, acme, Role.OWNER, bob.key), word=f"{CANARY}")
    Document.objects.filter(pk=second.document.pk).update(name="report.txt")
    second.document.delete()
    storage().delete(second.version.storage_key)
    second.source.delete()
    second.bot.conversations.update(bot=tenant.bot)
    second.bot.delete()
    second.api_key.delete()
    second.claim_rule.delete()
    second.endpoint.delete()
    second.schedule.delete()
    second.secret.delete()
    Document.objects.filter(pk=tenant.document.pk).update(uploaded_by=bob.user)
    User.objects.filter(pk=bob.user.pk).update(email=f"{CANARY}@example.org", name=CANARY)
    Identity.objects.create(user=bob.user, issuer="https://id.example", subject=CANARY)
    SignIn.objects.create(user=bob.user, session_key=CANARY, agent=CANARY, address="192.0.2.7")
    # Entries about the tenant's own rows are not about Bob.
    audit_details_erase(organisation=acme.id)
    audit_record(
        organisation=acme.id, action="membership.create", target=str(bob.user.pk), target_name=f"{CANARY}@example.org"
    )
    return Conversation.objects.get(user=bob.user)


def test_a_person_of_one_organisation_is_erased_with_the_account(
    alice: Person, bob: Person, bob_here: Conversation
) -> None:
    asked = erase(alice, person=f"{CANARY}@example.org")
    assert asked.status_code == 202, asked.content
    assert bob.client.get("/api/v1/me").status_code in (401, 404)
    run_all()
    receipt = receipt_of(alice, asked.json()["id"])
    assert receipt["stores"]["postgresql"]["messages"] == {"before": 2, "after": 0}
    # Ended when it was asked for, and counted all the same.
    assert receipt["stores"]["postgresql"]["memberships"] == {"before": 1, "after": 0}
    assert receipt["person_fingerprint"] == fingerprint(f"{CANARY}@example.org")
    assert hits(CANARY) == []
    assert Document.objects.get(name="lighthouse.txt").uploaded_by is None
    assert not User.objects.filter(pk=bob.user.pk).exists()
    assert Message.objects.count() == 2


def test_of_a_person_in_two_organisations_only_the_one_that_asks_loses_them(
    alice: Person, bob: Person, bob_here: Conversation, charlie: Person
) -> None:
    membership_create(organisation=charlie.organisation, user=bob.user, role=bob.role)
    tenant_make(charlie, word="submarine")
    Conversation.objects.filter(organisation=charlie.organisation).update(user=bob.user)
    before = snapshot()
    asked = erase(alice, person=str(bob.user.pk))
    run_all()
    receipt = receipt_of(alice, asked.json()["id"])
    # The receipt must not reveal whether there is an account elsewhere.
    assert "accounts" not in receipt["stores"]["postgresql"]
    assert Erasure.objects.filter(kind="account").count() == 0
    mine = str(alice.organisation.pk)
    assert changes(before, snapshot(), but=[mine, "box"]) == []
    assert not Conversation.objects.filter(organisation=mine, user=bob.user).exists()
    assert Conversation.objects.filter(organisation=charlie.organisation, user=bob.user).exists()
    assert User.objects.get(pk=bob.user.pk).is_active


def test_exports_that_hold_a_person_go_with_them(alice: Person, bob: Person, bob_here: Conversation) -> None:
    alice.client.post("/api/v1/exports", {}, content_type="application/json")
    assert jobs_run("export")
    done = Export.objects.get(conversations=True, requested_by=alice.user, counts__messages=4)
    assert exports_storage().exists(done.storage_key)
    erase(alice, person=str(bob.user.pk))
    run_all()
    assert not exports_storage().exists(done.storage_key)
    assert not Export.objects.filter(pk=done.pk).exists()


def test_the_last_owner_is_not_erased_and_an_admin_erases_no_owner(
    acme: Organisation, alice: Person, bob: Person
) -> None:
    assert erase(alice, person="alice@example.org").json()["error"]["code"] == "last_owner"
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    assert erase(bob, person="alice@example.org").status_code == 403
    assert erase(bob, organisation="acme", confirm="acme").status_code == 403
    assert User.objects.get(pk=alice.user.pk).is_active
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"organisation": "acme"}, 422),
        ({"organisation": "acme", "confirm": "Acme"}, 422),
        ({"organisation": "other", "confirm": "other"}, 404),
        ({"person": "charlie@example.org"}, 404),
        ({"person": "nobody@example.org"}, 404),
        ({"person": "bob@example.org", "organisation": "acme", "confirm": "acme"}, 422),
        ({"person": ""}, 422),
        ({"person": " \t"}, 422),
        ({"person": "", "organisation": "acme", "confirm": "acme"}, 422),
    ],
)
def test_an_erasure_names_exactly_one_thing_of_ours(
    alice: Person, bob: Person, charlie: Person, body: dict[str, str], status: int
) -> None:
    assert erase(alice, **body).status_code == status
    assert not Erasure.objects.exists()


def test_the_form_of_a_person_never_erases_the_organisation(alice: Person, bob: Person) -> None:
    form = "/admin/privacy/erasure/add/"
    for sent in ({"who": "", "confirm": "acme"}, {"who": "  ", "confirm": "acme"}, {"confirm": "acme"}):
        assert alice.client.post(form, sent).status_code == 200
        assert not Erasure.objects.exists()
    whole = f"{form}?of=organisation"
    assert whole.removeprefix(form) in alice.client.get(form).content.decode()
    assert alice.client.post(whole, {"confirm": "another"}, follow=True).status_code == 200
    assert not Erasure.objects.exists()
    assert alice.client.post(whole, {"confirm": "acme"}).status_code == 302
    assert Erasure.objects.get().kind == "organisation"


def test_an_export_of_one_person_needs_the_person(alice: Person) -> None:
    form = "/admin/privacy/export/add/"
    for sent in ({"of": "person", "who": " "}, {"of": "", "who": ""}, {"of": "everything", "who": "bob@example.org"}):
        assert alice.client.post(form, sent).status_code == 200
        assert not Export.objects.exists()
    assert alice.client.post("/api/v1/exports", {"person": " "}, content_type="application/json").status_code == 422
    assert not Export.objects.exists()
    assert alice.client.post(form, {"of": "everything", "who": ""}).status_code == 302
    assert Export.objects.get().person is None


def test_who_erases_their_organisation_is_out_at_once(alice: Person) -> None:
    assert erase(alice, organisation="acme", confirm="acme").status_code == 202
    assert alice.client.get("/api/v1/documents").status_code == 403


def test_a_receipt_is_a_page_to_read_and_the_signed_json(alice: Person) -> None:
    tenant = tenant_make(alice, word=CANARY)
    asked = erase(alice, person=tenant.invitation.email).json()["id"]
    run_all()
    page = f"/admin/privacy/erasure/{asked}/receipt/"
    shown = alice.client.get(page).content.decode()
    assert "Receipt of an erasure" in shown
    assert "<td>invitations</td>" in shown
    assert page in alice.client.get(f"/admin/privacy/erasure/{asked}/change/").content.decode()
    signed = alice.client.get(f"{page}?format=json")
    assert receipt_is_ours(signed.json())
    assert signed["Content-Disposition"].startswith("attachment")


def test_erasing_twice_is_erasing_once(alice: Person, bob: Person, bob_here: Conversation) -> None:
    first, second = erase(alice, person=str(bob.user.pk)), erase(alice, person=str(bob.user.pk))
    assert first.json()["id"] == second.json()["id"]
    run_all()
    assert erase(alice, person=str(bob.user.pk)).status_code == 404


def test_a_person_who_was_only_invited_is_forgotten(alice: Person) -> None:
    tenant = tenant_make(alice, word=CANARY)
    asked = erase(alice, person=tenant.invitation.email)
    run_all()
    assert receipt_of(alice, asked.json()["id"])["stores"]["postgresql"]["invitations"] == {"before": 1, "after": 0}
    assert not Invitation.objects.exists()
