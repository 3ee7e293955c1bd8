"""Every page of the portal, as the URL conf has it: who may open it, and what its forms do for whom.

The forms are those that the owner's own pages hold, with the owner's ids in them, sent by everybody else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.accounts.choices import Role
from app.portal.pages import PagePolicy
from tests.callers import Callers, callers, nowhere, two_organisations
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.routes import Route, request_for
from tests.snapshot import changes, snapshot

__all__ = ["callers"]  # a fixture

# Values for the text fields of a form.
WRITTEN = {"email": "somebody@example.org", "name": "somebody", "current": "not the password", "new": "a new password"}


def pages(patterns: Any = None, before: str = "") -> dict[str, Any]:
    """Return address → view of the URL conf outside the API and Django admin, which have tests of their own."""
    found = {}
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            if route not in ("api/v1/", "admin/"):
                found |= pages(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            found[route] = each.callback
    return found


def page_policies() -> dict[str, PagePolicy]:
    return {route: getattr(view, "page_policy", None) for route, view in pages().items()}  # type: ignore[misc]


# Rows that belong to one person, or to owners.
PERSONAL = {"conversation_id", "export_id"}
# Routes for members: address → least role.
MEMBERS = {route: declared.role for route, declared in page_policies().items() if declared and declared.role}


# Pages that only take a form; and where that form is not on the pages of this test, with the reason.
POSTED = {"accounts/organisation", "accounts/oidc/link", "accounts/oidc/unlink", "sources/<uuid:source_id>/runs"}
OIDC = "shown where an OIDC provider is configured (app/accounts/tests)"
FORM_ELSEWHERE = {
    "accounts/oidc/link": OIDC,
    "accounts/oidc/unlink": OIDC,
    "sources/<uuid:source_id>/runs": "shown where a source is read by itself (app/library/tests/test_source_pages.py)",
}


def test_every_page_declares_who_may_see_it() -> None:
    undeclared = [route for route, declared in page_policies().items() if not isinstance(declared, PagePolicy)]
    assert undeclared == [], "use @page(role) or @public_page(reason) of app/portal/pages.py"
    assert len(MEMBERS) >= 5


def page_address(route: str, tenant: Tenant) -> str:
    route = Route("GET", "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), None, {})
    return request_for(route, tenant).path


def named(route: str) -> bool:
    """Return whether the address names a row."""
    return "<" in route


def test_without_a_session_every_page_leads_to_signing_in(callers: Callers) -> None:
    before = snapshot()
    for client in (Client(), callers.dead_sessions["suspended"], callers.dead_sessions["deleted"]):
        for route in MEMBERS:
            for method in ("get", "post", "head"):
                response = getattr(client, method)(page_address(route, callers.tenant))
                # A page that takes no POST says so to everybody.
                assert (route, response.status_code) in ((route, 302), (route, 405))
                if response.status_code == 302:
                    assert response["Location"].startswith("/accounts/sign-in?next=")
                assert callers.tenant.word not in response.content.decode()
    assert changes(before, snapshot()) == []


def test_a_former_member_is_told_that_there_is_nothing(callers: Callers) -> None:
    before = snapshot()
    for route in MEMBERS:
        response = callers.dead_sessions["removed"].get(page_address(route, callers.tenant))
        assert (route, response.status_code) == (route, 405 if route in POSTED else 404)
        assert not any(word in response.content.decode() for word in callers.words)
    assert changes(before, snapshot()) == []


@pytest.mark.parametrize("role", Role)
def test_people_of_a_suspended_organisation_see_none_of_its_pages(callers: Callers, role: Role) -> None:
    before = snapshot()
    for route in MEMBERS:
        for tenant in (callers.tenant, callers.frozen_tenant):
            for method in ("get", "post"):
                response = getattr(callers.frozen[role].client, method)(page_address(route, tenant))
                assert (route, response.status_code) in ((route, 403), (route, 405))
                assert not any(word in response.content.decode() for word in callers.words)
    assert changes(before, snapshot()) == []


@pytest.mark.parametrize("role", Role)
def test_another_organisation_s_people_see_their_own_pages_only(callers: Callers, role: Role) -> None:
    before = snapshot()
    client = callers.other[role].client
    for route, least in MEMBERS.items():
        response = client.get(page_address(route, callers.tenant))
        wanted = 403 if not role.covers(least) else 404 if named(route) else 200
        assert (route, response.status_code) == (route, 405 if route in POSTED else wanted)
        seen = f"{response.content.decode()} {response.headers}"
        assert not any(word in seen for word in callers.words), route
        assert str(callers.owner.organisation.pk) not in seen, route
    assert changes(before, snapshot()) == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, Role.VIEWER])
def test_colleagues_see_what_their_role_and_the_row_allow(callers: Callers, role: Role) -> None:
    before = snapshot()
    client = callers.acme[role].client
    for route, least in MEMBERS.items():
        response = client.get(page_address(route, callers.tenant))
        wanted = 403 if not role.covers(least) else 404 if PERSONAL & {*re.findall(r"\w+", route)} else 200
        assert (route, response.status_code) == (route, 405 if route in POSTED else wanted)
    assert changes(before, snapshot()) == []


def test_a_page_of_a_foreign_row_is_that_of_a_row_that_never_was(callers: Callers) -> None:
    absent = nowhere(callers.tenant)
    client = callers.other[Role.OWNER].client
    for route in filter(named, MEMBERS):
        seen = []
        for tenant in (callers.tenant, absent):
            address = page_address(route, tenant)
            response = client.get(address)
            identity = str(response.headers.get("X-Request-ID"))
            shown = response.content.decode().replace(address, "").replace(identity, "")
            seen.append((response.status_code, re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", shown)))
        assert seen[0] == seen[1], route


def test_a_member_of_two_organisations_sees_one_at_once(callers: Callers) -> None:
    person = two_organisations(callers)
    responses = [person.client.get(page_address(route, callers.tenant)) for route in MEMBERS]
    shown = "".join(response.content.decode() for response in responses if not response.streaming)
    # acme's pages come first; the people of the other organisation are not on them.
    assert callers.tenant.word in shown
    assert "olga" not in shown


@dataclass(frozen=True)
class Form:
    """A form of the owner's, filled in as a browser would send it."""

    address: str
    fields: tuple[tuple[str, str], ...]


def forms(tenant: Tenant, client: Client) -> list[Form]:
    found, members = {}, {page_address(route, tenant) for route in MEMBERS}
    for page in sorted(members):
        response = client.get(page)
        for node in LexborHTMLParser("" if response.streaming else response.content.decode()).css("form"):
            if (node.attributes.get("method") or "").lower() != "post":
                continue
            address = urljoin(page, node.attributes.get("action") or page)
            if address.split("?")[0] in members:
                form = Form(address, tuple(sorted(_filled(node))))
                found[form] = None
    return list(found)


def _filled(form: LexborNode) -> Iterator[tuple[str, str]]:
    for node in form.css("input, button, select, textarea"):
        name = node.attributes.get("name")
        if not name or name == "csrfmiddlewaretoken":
            continue
        if node.tag == "select":
            option = node.css_first("option[selected]") or node.css_first("option")
            yield name, (option.attributes.get("value") or "") if option else ""
        else:
            yield name, WRITTEN.get(name) or node.attributes.get("value") or ""


def ids_of(tenant: Tenant) -> set[str]:
    return {str(row.pk) for row in tenant.rows()}


def test_forms_of_another_organisation_s_owner_change_nothing_here(callers: Callers) -> None:
    sent = list(
        {*forms(callers.tenant, callers.owner.client), *forms(callers.tenant, two_organisations(callers).client)}
    )
    assert {form.address for form in sent} >= {f"/{route}" for route in POSTED - set(FORM_ELSEWHERE)}
    assert [form for form in sent if ids_of(callers.tenant) & set(dict(form.fields).values())], "no form names a row"
    before = snapshot()
    clients = {f"the other's {role}": person.client for role, person in callers.other.items()}
    clients |= {**callers.dead_sessions, "nobody": Client()}
    for name, client in clients.items():
        for form in sent:
            response = client.post(form.address, dict(form.fields))
            assert (form, response.status_code) != (form, 500)
            assert not any(word in response.content.decode() for word in callers.words)
            assert changes(before, snapshot(), but={callers.other_id}) == [], (name, form)
        # A form may choose what is shown next: still nothing of anybody else.
        assert not any(word in client.get("/").content.decode() for word in callers.words), name


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_forms_that_a_role_is_not_shown_change_nothing(callers: Callers, role: Role) -> None:
    client = callers.acme[role].client
    own = set(forms(callers.tenant, client))
    hidden = [form for form in forms(callers.tenant, callers.owner.client) if form not in own]
    assert hidden
    before = snapshot()
    for form in hidden:
        client.post(form.address, dict(form.fields))
        assert changes(before, snapshot()) == [], form


@pytest.mark.django_db(transaction=True)
def test_the_owner_s_own_forms_do_work(alice: Person) -> None:
    # Otherwise the forms above would prove nothing.
    worked = 0
    for form in forms(tenant_make(alice, word="lighthouse"), alice.client):
        before = snapshot()
        alice.client.post(form.address, dict(form.fields))
        worked += changes(before, snapshot()) != []
    assert worked >= 2


def test_open_pages_name_nothing(callers: Callers) -> None:
    for route, declared in page_policies().items():
        # A token in an address is a permission: the tenant's own would open it.
        if declared.role is None and "token" not in route:
            response = Client().get(page_address(route, callers.tenant))
            assert not any(word in response.content.decode() for word in callers.words)
