"""Every address, action and form of Django admin, as everybody who is not an admin of the organisation."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import ForeignKey, ManyToManyField, Model
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from app.accounts.choices import Role
from tests.admin_routes import AdminRoute, address, admin_routes, form_of, registered, row_of
from tests.callers import Callers, callers, nowhere
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.snapshot import changes, foreign_references, snapshot

__all__ = ["callers"]  # a fixture

ROUTES = admin_routes()
# Addresses that answer anybody, with the reason.
OPEN = {"login/": "leads to the portal's own page", "logout/": "ends the caller's own session, if there is one"}
# Ends the caller's own session: nothing else could be tried after it.
LAST = {"logout/"}


def leaks(callers: Callers, response: HttpResponse) -> list[str]:
    text = "" if response.streaming else response.content.decode()
    return [word for word in callers.words if word in f"{text} {response.headers}"]


def tries(route: AdminRoute, tenant: Tenant) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, address and values, with ids of the tenant in path, query and body."""
    place = route.address(tenant)
    yield "get", place, {}
    if route.model is not None and not route.names_row:
        row = row_of(tenant, route.model)
        for name in _filters(route.model):
            yield "get", place, {f"{name}__id__exact": str(_related(tenant, route.model, name))}
        yield "get", place, {"q": tenant.word[:6]}
        for name in sorted({*_actions(route.model), "delete_selected"}):
            yield "post", place, {"action": name, "_selected_action": [str(row.pk)], "post": "yes"}
    elif route.model is not None:
        row = row_of(tenant, route.model)
        yield "post", place, {"post": "yes", "name": "taken", "role": "viewer", "email": "taken@example.org"}
        for button in admin.site._registry[route.model].actions_submit_line:
            yield (
                "post",
                place,
                {f"{route.model._meta.app_label}_{route.model._meta.model_name}_{button}": "", "name": "x"},
            )
    else:
        yield "post", place, {}


def _actions(model: type[Model]) -> list[str]:
    return [each if isinstance(each, str) else each.__name__ for each in admin.site._registry[model].actions or ()]


def _filters(model: type[Model]) -> list[str]:
    filters = admin.site._registry[model].list_filter
    names = {each[0] if isinstance(each, tuple) else each for each in filters}
    # A filter that is a class of its own has no column.
    return [field.name for field in model._meta.fields if isinstance(field, ForeignKey) and field.name in names]


def _related(tenant: Tenant, model: type[Model], name: str) -> Any:
    return getattr(row_of(tenant, model), f"{name}_id")


def wrong(
    callers: Callers, client: Client, allowed: Any, *, own: set[str] = frozenset(), tenant: Tenant | None = None
) -> list[str]:
    found, before = [], snapshot()
    for route in ROUTES:
        if route.pattern in LAST:
            continue
        attempts = tries(route, tenant or callers.tenant)
        for method, place, values in callers.sample(attempts, kind=lambda attempt: attempt[0]):
            response = getattr(client, method)(place, values)
            if response.status_code not in allowed(route):
                found.append(f"{method} {place} {values}: {response.status_code}")
            found += [f"{method} {place} {values} leaks {word}" for word in leaks(callers, response)]
            if method == "post":
                after = snapshot()
                found += [f"{place} {values} changed {each}" for each in changes(before, after, but=own)]
                before = after
    return [*found, *changes(before, snapshot(), but=own), *foreign_references()]


def test_everything_is_tried() -> None:
    assert len(ROUTES) > 60
    assert sum(len(_actions(model)) for model in registered()) >= 2
    assert {route.pattern for route in ROUTES} >= set(OPEN)


def test_without_a_session_every_address_leads_to_signing_in(callers: Callers) -> None:
    for client in (Client(), callers.dead_sessions["suspended"], callers.dead_sessions["deleted"]):
        for route in ROUTES:
            if route.pattern not in LAST:
                response = client.get(route.address(callers.tenant))
                assert (route.pattern, response.status_code) == (route.pattern, 302)
                assert re.match(r"/(admin/login/|accounts/sign-in)", response["Location"]), (
                    route.pattern,
                    response["Location"],
                )
    for client in callers.sample([Client(), callers.dead_sessions["suspended"]]):
        assert wrong(callers, client, lambda route: {302}) == []


@pytest.mark.parametrize("role", [Role.EDITOR, pytest.param(Role.VIEWER, marks=pytest.mark.whole)])
def test_those_who_administer_nothing_get_nothing(callers: Callers, role: Role) -> None:
    person = callers.acme[role]
    # Signed in, they are not asked to sign in again: the way there says that they may not.
    assert wrong(callers, person.client, lambda route: {302, 403}) == []
    assert person.client.get("/admin/", follow=True).status_code == 403


def test_a_former_owner_gets_nothing(callers: Callers) -> None:
    assert wrong(callers, callers.dead_sessions["removed"], lambda route: {302, 403}) == []


def test_admins_of_a_suspended_organisation_get_nothing(callers: Callers) -> None:
    client = callers.frozen[Role.OWNER].client
    assert wrong(callers, client, lambda route: {302, 403}, tenant=callers.frozen_tenant) == []


def foreign(route: AdminRoute) -> set[int]:
    # Django answers an unknown row with a way back to the index.
    return {302, 403, 404} if route.names_row else {200, 302, 400, 403, 404, 405}


@pytest.mark.parametrize("role", [Role.OWNER, pytest.param(Role.ADMIN, marks=pytest.mark.whole)])
def test_another_organisation_s_admins_find_and_change_nothing(callers: Callers, role: Role) -> None:
    assert wrong(callers, callers.other[role].client, foreign, own={callers.other_id}) == []


def test_a_foreign_row_is_answered_as_one_that_never_was(callers: Callers) -> None:
    client, absent = callers.other[Role.OWNER].client, nowhere(callers.tenant)
    differing = []
    for route in ROUTES:
        if not route.names_row or route.model is None:
            continue
        row = row_of(callers.tenant, route.model)
        twin = next((each for each in absent.rows() if type(each) is route.model), absent.document)
        place = route.address(callers.tenant)
        for method in callers.sample(["get", "post"]):
            seen = []
            for identity in (str(row.pk), str(twin.pk)):
                response = getattr(client, method)(place.replace(str(row.pk), identity))
                session = client.session
                text = f"{response.content.decode()} {response.headers.get('Location')} {session.pop('_messages', '')}"
                session.save()
                text = re.sub(r'nonce="[^"]*"|name="csrfmiddlewaretoken" value="\w+"', "", text).replace(identity, "")
                seen.append((response.status_code, text))
            if seen[0] != seen[1]:
                differing.append(f"{method} {route.pattern}: {seen}")
    assert differing == []


def test_choosers_offer_nothing_foreign(callers: Callers) -> None:
    client = callers.other[Role.OWNER].client
    asked = 0
    for model in registered():
        for field in model._meta.fields:
            if isinstance(field, ForeignKey) and field.related_model in registered():
                chooser = {
                    "app_label": model._meta.app_label,
                    "model_name": model._meta.model_name or "",
                    "field_name": field.name,
                }
                for term in (callers.tenant.word, "alice", "acme", ""):
                    response = client.get(reverse("admin:autocomplete"), {**chooser, "term": term})
                    text = response.content.decode()
                    asked += response.status_code == 200
                    assert not any(word in text for word in (*callers.words, "alice", "Acme")), (model, field.name)
    assert asked


@pytest.mark.django_db(transaction=True)
def test_no_form_takes_a_foreign_row(alice: Person, charlie: Person, all_combinations: bool) -> None:
    """Each reference of each form, in turn, set to a row of another organisation; and each field of the table.

    Without `--all` the first reference of each form, and its key.
    """
    mine, foreign_tenant = tenant_make(charlie, word="submarine"), tenant_make(alice, word="lighthouse")
    sent = 0
    for model in registered():
        for page in (address(model, "add"), address(model, "change", row_of(mine, model).pk)):
            opened = charlie.client.get(page)
            if opened.status_code != 200:
                continue
            unchanged = form_of(opened.content.decode())
            fields = list(references(model, foreign_tenant))
            for name, value in fields if all_combinations else fields[:: len(fields) - 1]:
                before = snapshot()
                charlie.client.post(page, {**unchanged, "name": "taken", name: value})
                sent += 1
                assert changes(before, snapshot(), but={str(charlie.organisation.pk)}) == [], (page, name)
                assert list(foreign_references()) == [], (page, name)
    assert sent > (20 if all_combinations else 10)


def references(model: type[Model], tenant: Tenant) -> Iterator[tuple[str, str]]:
    for field in (*model._meta.fields, *model._meta.many_to_many):
        if isinstance(field, ForeignKey | ManyToManyField):
            related = field.related_model
            rows = [row for row in (*tenant.rows(), tenant.bot.organisation) if type(row) is related]
            for each in rows[:1]:
                yield field.name, str(each.pk)
                yield f"{field.name}_id", str(each.pk)
    yield "id", str(row_of(tenant, model).pk)
    yield "pk", str(row_of(tenant, model).pk)


@pytest.mark.django_db(transaction=True)
def test_the_organisation_s_own_admin_does_reach_these_rows(alice: Person) -> None:
    # Otherwise the refusals above would prove nothing.
    tenant = tenant_make(alice, word="lighthouse")
    reached = 0
    for route in ROUTES:
        if route.pattern in LAST or route.pattern == "login/":
            continue
        response = alice.client.get(route.address(tenant))
        reached += route.names_row and response.status_code == 200
        assert response.status_code < 500
    assert reached >= len(registered())
    worked = []
    for model in registered():
        for name in _actions(model):
            before = snapshot()
            alice.client.post(
                address(model, "changelist"), {"action": name, "_selected_action": [str(row_of(tenant, model).pk)]}
            )
            worked += [name] if changes(before, snapshot()) else []
    assert worked, "no action changes anything, so that refusing them proves nothing"


def test_actions_are_all_known_to_the_tests(callers: Callers) -> None:
    request = RequestFactory().get("/admin/")
    request.user = callers.owner.user
    for model in registered():
        offered = set(admin.site._registry[model].get_actions(request))
        assert offered <= {*_actions(model), "delete_selected"}
