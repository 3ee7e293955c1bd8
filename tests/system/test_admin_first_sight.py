"""What people meet first in the admin: keys that may do nothing yet, secrets to copy, people before entries, names."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Invitation, Membership, Organisation, User
from app.accounts.services import invitation_create, membership_create, membership_role_set, user_create
from app.admin_site.templatetags.column_labels import capital_labels
from app.audit.actors import PERSON, Actor, acting_as
from app.audit.models import AuditEntry
from app.audit.trail import audit_details_erase, audit_record
from app.privacy.models import Erasure
from tests.admin_routes import address
from tests.factories import tenant_make
from tests.people import PASSWORD, Person


@pytest.fixture
def operator(db: Any) -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


def page_of(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_a_new_key_may_do_nothing_until_somebody_ticks_it(alice: Person) -> None:
    page = page_of(alice.client, address(ApiKey, "add"))
    boxes = re.findall(r'<input[^>]*name="scopes"[^>]*>', page)
    assert len(boxes) > 5
    assert [box for box in boxes if re.search(r"\schecked[\s=>]", box)] == []
    assert re.search(r'<option value="viewer"\s+selected', page)
    assert alice.client.post(address(ApiKey, "add"), {"name": "x", "role": "viewer"}).status_code == 200
    assert not ApiKey.objects.filter(name="x").exists()


def test_every_secret_that_is_shown_once_has_a_button_that_copies_it(operator: Client, alice: Person) -> None:
    tenant = tenant_make(alice, word="lighthouse")
    home = {"organisation": str(alice.organisation.pk)}
    key, person = f"/admin/accounts/apikey/{tenant.api_key.pk}", f"/admin/accounts/user/{alice.user.pk}"
    sent: dict[str, dict[str, str]] = {
        address(ApiKey, "add"): {**home, "name": "x", "role": "viewer", "scopes": "chat"},
        address(Invitation, "add"): {**home, "email": "new@example.org", "role": "viewer"},
        address(User, "add"): {"email": "other@example.org", "name": ""},
        f"{key}/rotate/": {"overlap": "7"},
        f"{person}/password_link/": {},
        f"{person}/password_new_this/": {},
    }
    for path, values in sent.items():
        page = operator.post(path, values).content.decode()
        shown = re.search(r'<code id="([^"]+)"[^>]*>([^<]{12,})</code>', page)
        assert shown is not None, path
        assert f'data-copy="{shown[1]}"' in page, path


def test_a_person_is_found_above_what_was_written_about_them(operator: Client, alice: Person, bob: Person) -> None:
    for _ in range(6):
        audit_record(organisation=alice.organisation.pk, action="test.done", target_name=bob.user.email)
    page = page_of(operator, "/admin/search/?extended=1&s=bob@example.org")
    found = re.findall(r'href="/admin/(\w+/\w+)/[^"]+/change/', page)
    assert {"accounts/user", "accounts/membership", "audit/auditentry"} <= set(found)
    assert found.index("accounts/user") < found.index("audit/auditentry")
    assert found.index("accounts/membership") < found.index("audit/auditentry")


def test_each_chain_of_the_trail_counts_by_its_own_name(operator: Client, alice: Person, charlie: Person) -> None:
    audit_record(organisation=None, action="box.tried")
    page = page_of(operator, address(AuditEntry, "changelist"))
    numbers = re.findall(r'data-label="Number">\s*([\w-]+) (\d+)', page)
    assert {chain for chain, _ in numbers} == {alice.organisation.slug, charlie.organisation.slug, "box"}
    assert len(numbers) == len(set(numbers)) == AuditEntry.objects.count()


def test_the_trail_names_whoever_was_not_erased_at_few_queries(alice: Person, bob: Person) -> None:
    organisation, actor = alice.organisation.pk, Actor(PERSON, bob.user.pk, bob.user.email)
    with acting_as(actor):
        invitation_create(
            organisation=alice.organisation, email="guest@example.org", role=Role.VIEWER, invited_by=alice.user,
            inviter_role=Role.OWNER,
        )  # fmt: skip
    member = Membership.objects.get(user=bob.user)
    with acting_as(Actor(PERSON, alice.user.pk, alice.user.email)):
        for number in range(40):
            role = Role.EDITOR if number % 2 else Role.VIEWER
            membership_role_set(organisation=organisation, membership=member.pk, role=role, actor_role=Role.OWNER)
    audit_details_erase(organisation=organisation, user=bob.user.pk, email=bob.user.email)
    for path in (address(AuditEntry, "changelist"), "/api/v1/audit?limit=100", "/api/v1/audit?format=csv"):
        with CaptureQueriesContext(connection) as queries:
            page = page_of(alice.client, path)
        assert len(queries) <= 20, path
        assert ("guest@example.org" in page, "bob@example.org" in page) == (True, False), path
    membership_create(organisation=alice.organisation, user=bob.user, role=Role.OWNER)
    # A member who has left was not erased: the id stands where the name was.
    Membership.objects.filter(user=alice.user).delete()
    alice.client.force_login(User.objects.get(pk=bob.user.pk))
    assert str(alice.user.pk) in page_of(alice.client, address(AuditEntry, "changelist"))


def test_each_form_says_what_it_erases_however_often_it_was_opened(alice: Person) -> None:
    form = address(Erasure, "add")
    for path, title, other in (
        (form, "Erase a person", "?of=organisation"),
        (f"{form}?of=organisation", "Erase an organisation", "?"),
    ):
        for _ in range(3):
            page = page_of(alice.client, path)
            assert page.count(f'href="{other}"') == 1
            assert re.search(rf"<h2[^>]*>\s*{title}\s*</h2>", page)


def test_a_cell_without_a_value_is_marked_for_cards_that_leave_it_out(alice: Person) -> None:
    row = '<td class="a" data-label="pages">\n -\n</td><td data-label="name">a - b</td><td data-label="n">0</td>'
    marked = capital_labels(row)  # type: ignore[arg-type]
    assert marked.count("data-empty") == 1
    assert '<td data-empty class="a" data-label="Pages">' in marked
    page = page_of(alice.client, address(Organisation, "changelist"))
    assert 'data-label="Name"' in page
