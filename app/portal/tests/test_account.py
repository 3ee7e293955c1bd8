"""One's own account and the members page: two pages, one for oneself and one for admins."""

import re
from pathlib import Path

import pytest

from app.accounts.models import Identity, Organisation
from app.audit.models import AuditEntry
from tests.people import Person

APP = Path(__file__).resolve().parents[2]


def test_a_person_sets_their_own_name(alice: Person, bob: Person, acme: Organisation) -> None:
    page = bob.client.post("/account", {"do": "name", "name": " Bob\n <b>Brown</b>\0 "}).content.decode()
    assert "Your name is changed." in page
    assert page.count("Bob &lt;b&gt;Brown&lt;/b&gt;") == 2  # in the column at the left, and in the field
    assert "Bob &lt;b&gt;Brown&lt;/b&gt;" in alice.client.get("/members").content.decode()
    entry = AuditEntry.objects.filter(action="user.update", organisation=acme).latest("number")
    assert entry.target == str(bob.user.pk)
    assert bob.client.post("/account", {"do": "name", "name": ""}).status_code == 200
    bob.user.refresh_from_db()
    assert bob.user.name == ""
    assert f'<strong dir="auto">{bob.user.email}</strong>' in bob.client.get("/account").content.decode()


def test_a_name_that_comes_from_the_provider_says_so_and_is_not_changed_here(bob: Person) -> None:
    Identity.objects.create(user=bob.user, issuer="https://login.example.org", subject="bob")
    assert 'name="name"' in bob.client.get("/account").content.decode()  # with a password, people set their own
    bob.user.set_unusable_password()
    bob.user.name = "Bob of the provider"
    bob.user.save()
    bob.client.force_login(bob.user)
    page = bob.client.get("/account").content.decode()
    assert "Your name comes from login.example.org." in page
    assert 'name="name"' not in page
    assert bob.client.post("/account", {"do": "name", "name": "Another"}).status_code == 409
    bob.user.refresh_from_db()
    assert bob.user.name == "Bob of the provider"


def test_members_and_one_s_own_account_are_two_pages(alice: Person, bob: Person) -> None:
    own, members = (alice.client.get(path).content.decode() for path in ("/account", "/members"))
    assert "bob@example.org" not in own
    assert "bob@example.org" in members
    assert "Where you are signed in" in own
    assert "Where you are signed in" not in members
    current = [re.findall(r'href="([^"]+)"[^>]*aria-current="page"', page) for page in (own, members)]
    assert current == [["/account"], ["/members"]]
    assert 'href="/members"' not in bob.client.get("/account").content.decode()
    assert alice.client.post("/account", {"do": "invite", "email": "eve@example.org"}).status_code == 422


def test_what_is_shown_once_can_be_copied(subtests: pytest.Subtests) -> None:
    shown = []
    for template in APP.glob("*/templates/**/*.html"):
        text = template.read_text("utf-8")
        if "admin" in template.parts or "unfold" in template.parts:
            continue
        for field in re.findall(r"<input[^>]*\breadonly\b[^>]*>", text):
            with subtests.test(template=template.name, field=field):
                name = re.search(r'\bid="([^"]+)"', field)
                assert name
                assert f'data-copy="{name[1]}"' in text
                shown.append(name[1])
    assert shown == ["link"]
