"""`GET /audit` and the admin page: visible entries by role, and pages."""

import csv
import io
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from app.accounts.choices import Role
from app.accounts.models import Membership, Organisation
from app.accounts.services import membership_create, membership_role_set, user_create, user_update
from app.audit.actors import PERSON, Actor, acting_as
from app.audit.models import AuditEntry
from app.audit.trail import audit_details_erase, audit_record
from tests.people import PASSWORD, Person


def ask(person: Person, **query: Any) -> Any:
    return person.client.get(f"/api/v1/audit?{urlencode(query)}", headers=person.headers)


def items(person: Person, **query: Any) -> list[dict[str, Any]]:
    response = ask(person, **query)
    assert response.status_code == 200, response.content
    page: list[dict[str, Any]] = response.json()["items"]
    return page


@pytest.fixture
def trail(acme: Organisation, alice: Person, bob: Person) -> Organisation:
    for number in range(5):
        with acting_as(Actor("person", bob.user.pk, bob.user.email, "203.0.113.9")):
            audit_record(
                organisation=acme.pk,
                action="bot.update",
                target_kind="bot",
                target=f"target-{number}",
                target_name=f"Bot {number}",
                before={"name": "old"},
                after={"name": f"new {number}"},
            )
    return acme


def test_an_entry_tells_who_what_when_and_from_where(trail: Organisation, alice: Person, bob: Person) -> None:
    first = items(alice, action="bot.update")[0]
    assert first["actor"] == {
        "kind": "person",
        "id": str(bob.user.pk),
        "name": bob.user.email,
        "address": "203.0.113.9",
    }
    assert first["target"] == {"kind": "bot", "id": "target-4", "name": "Bot 4"}
    assert (first["before"], first["after"], first["erased"]) == ({"name": "old"}, {"name": "new 4"}, False)


def test_pages_are_newest_first_and_lose_nothing(trail: Organisation, alice: Person) -> None:
    numbers, cursor = [], ""
    while cursor is not None:
        response = ask(alice, limit=2, cursor=cursor).json()
        numbers += [item["number"] for item in response["items"]]
        cursor = response["next"]
    assert numbers == list(range(AuditEntry.objects.filter(organisation=trail).count(), 0, -1))


def test_filters_find_by_kind_person_target_and_time(trail: Organisation, alice: Person, bob: Person) -> None:
    assert {item["action"] for item in items(alice, action="bot")} == {"bot.update"}
    assert items(alice, action="bo") == []
    assert len(items(alice, actor=bob.user.email.upper())) == 5
    assert len(items(alice, actor=str(bob.user.pk))) == 5
    assert [item["target"]["id"] for item in items(alice, target="bot 3")] == ["target-3"]
    assert [item["target"]["name"] for item in items(alice, target="target-3")] == ["Bot 3"]
    everything = items(alice)
    middle = AuditEntry.objects.get(organisation=trail, number=everything[2]["number"]).at
    assert items(alice, **{"from": middle.isoformat()}) == everything[:3]
    assert items(alice, to=middle.isoformat()) == everything[3:]
    assert ask(alice, **{"from": "yesterday"}).status_code == 422
    assert ask(alice, actor="\0", action="\0", target="\0").status_code == 200


def test_only_admins_see_the_trail_and_only_their_own(trail: Organisation, bob: Person, charlie: Person) -> None:
    assert ask(bob).status_code == 403
    membership_create(organisation=trail, user=bob.user, role=Role.EDITOR)
    assert bob.client.get("/api/v1/audit").status_code == 403
    membership_create(organisation=trail, user=bob.user, role=Role.ADMIN)
    assert bob.client.get("/api/v1/audit").status_code == 200
    assert Client().get("/api/v1/audit").status_code == 401
    assert items(charlie, action="bot") == []
    audit_record(organisation=None, action="box.changed")
    assert "box.changed" not in {item["action"] for item in items(charlie)}


def test_csv_has_every_row_and_no_formulas(trail: Organisation, alice: Person) -> None:
    for start in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"):
        audit_record(organisation=trail.pk, action="csv.tried", target_name=start, target=start)
    response = ask(alice, format="csv")
    assert response["Content-Type"].startswith("text/csv")
    assert 'filename="audit-acme.csv"' in response["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))
    assert len(rows) == 1 + AuditEntry.objects.filter(organisation=trail).count()
    cells = [cell for row in rows for cell in row]
    assert len([cell for cell in cells if cell.startswith("'")]) == 14
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))] == []


def test_an_erased_entry_shows_as_erased(trail: Organisation, alice: Person, bob: Person) -> None:
    audit_details_erase(user=bob.user.pk)
    first = items(alice, action="bot.update")[0]
    assert first["erased"] is True
    assert (first["actor"]["name"], first["before"], first["target"]["name"]) == (None, None, None)
    page = alice.client.get(reverse("admin:audit_auditentry_change", args=[first["id"]]))
    assert "Erased, as the person" in page.content.decode()


def test_erasing_a_person_leaves_the_names_of_the_living(trail: Organisation, alice: Person, bob: Person) -> None:
    # Alice changes Bob's role; the entry is about him, and it was she who did it.
    member = Membership.objects.get(user=bob.user)
    with acting_as(Actor(PERSON, alice.user.pk, alice.user.email)):
        membership_role_set(organisation=trail.pk, membership=member.pk, role=Role.EDITOR, actor_role=Role.OWNER)
    with acting_as(Actor(PERSON, bob.user.pk, bob.user.email)):
        user_update(user=alice.user.pk, values={"name": "Alice A."})
    audit_details_erase(organisation=trail.pk, user=bob.user.pk, email=bob.user.email)
    by_alice = items(alice, action="membership.update")[0]
    assert (by_alice["erased"], by_alice["actor"]["name"], by_alice["before"]) == (True, alice.user.email, None)
    # Bob's account is still there, and he is not named where he was erased.
    about_alice = items(alice, action="user.update")[0]
    assert (about_alice["actor"]["name"], about_alice["target"]["name"]) == (None, alice.user.email)
    page = alice.client.get(reverse("admin:audit_auditentry_changelist")).content.decode()
    assert alice.user.email in page
    assert bob.user.email not in page
    call_command("audit_verify", stdout=io.StringIO())
    audit_details_erase(organisation=trail.pk, user=alice.user.pk)
    assert {entry["actor"]["name"] for entry in items(alice, action="membership.update")} == {None}
    call_command("audit_verify", stdout=io.StringIO())


def test_the_admin_page_shows_both_sides_and_lets_nothing_change(trail: Organisation, alice: Person) -> None:
    entry = AuditEntry.objects.filter(organisation=trail, action="bot.update").latest("number")
    address = reverse("admin:audit_auditentry_change", args=[entry.pk])
    page = alice.client.get(address).content.decode()
    assert "<td>old</td><td>new 4</td>" in page
    assert "203.0.113.9" in page
    for response in (
        alice.client.post(address, {"action": "other"}),
        alice.client.post(reverse("admin:audit_auditentry_delete", args=[entry.pk]), {"post": "yes"}),
        alice.client.get(reverse("admin:audit_auditentry_add")),
    ):
        assert response.status_code == 403
    results = alice.client.get(reverse("admin:audit_auditentry_changelist") + "?q=bob%40example.org")
    assert "Bot 4" in results.content.decode()


def test_the_box_s_own_entries_are_for_operators(trail: Organisation, alice: Person) -> None:
    audit_record(organisation=None, action="box.changed")
    address = reverse("admin:audit_auditentry_changelist")
    operator = Client()
    operator.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    assert "box.changed" in operator.get(address).content.decode()
    assert "box.changed" not in alice.client.get(address).content.decode()
