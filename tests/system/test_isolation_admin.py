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
from tests.admin_doors import AdminDoor, address, admin_doors, form_of, registered, row_of
from tests.digest import changes, crossings, digest
from tests.people import Person
from tests.stage import Stage, nowhere, stage
from tests.world import World, world_make

__all__ = ["stage"]  # a fixture

DOORS = admin_doors()
# Addresses that answer anybody, with the reason.
OPEN = {"login/": "leads to the portal's own page", "logout/": "ends the caller's own session, if there is one"}
# Ends the visitor's own session: nothing else could be tried after it.
LAST = {"logout/"}


def leaks(stage: Stage, answer: HttpResponse) -> list[str]:
    text = "" if answer.streaming else answer.content.decode()
    return [word for word in stage.words if word in f"{text} {answer.headers}"]


def tries(door: AdminDoor, world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, address and values, with ids of the world in path, query and body."""
    place = door.address(world)
    yield "get", place, {}
    if door.model is not None and not door.names_row:
        row = row_of(world, door.model)
        for name in _filters(door.model):
            yield "get", place, {f"{name}__id__exact": str(_related(world, door.model, name))}
        yield "get", place, {"q": world.word[:6]}
        for name in sorted({*_actions(door.model), "delete_selected"}):
            yield "post", place, {"action": name, "_selected_action": [str(row.pk)], "post": "yes"}
    elif door.model is not None:
        row = row_of(world, door.model)
        yield "post", place, {"post": "yes", "name": "taken", "role": "viewer", "email": "taken@example.org"}
        for button in admin.site._registry[door.model].actions_submit_line:
            yield (
                "post",
                place,
                {f"{door.model._meta.app_label}_{door.model._meta.model_name}_{button}": "", "name": "x"},
            )
    else:
        yield "post", place, {}


def _actions(model: type[Model]) -> list[str]:
    return [each if isinstance(each, str) else each.__name__ for each in admin.site._registry[model].actions or ()]


def _filters(model: type[Model]) -> list[str]:
    names = [each if isinstance(each, str) else each[0] for each in admin.site._registry[model].list_filter]
    relations = {field.name for field in model._meta.fields if isinstance(field, ForeignKey)}
    return [name for name in names if isinstance(name, str) and name in relations]


def _related(world: World, model: type[Model], name: str) -> Any:
    return getattr(row_of(world, model), f"{name}_id")


def wrong(
    stage: Stage, client: Client, allowed: Any, *, own: set[str] = frozenset(), world: World | None = None
) -> list[str]:
    found, before = [], digest()
    for door in DOORS:
        if door.route in LAST:
            continue
        for method, place, values in tries(door, world or stage.world):
            answer = getattr(client, method)(place, values)
            if answer.status_code not in allowed(door):
                found.append(f"{method} {place} {values}: {answer.status_code}")
            found += [f"{method} {place} {values} leaks {word}" for word in leaks(stage, answer)]
            if method == "post":
                after = digest()
                found += [f"{place} {values} changed {each}" for each in changes(before, after, but=own)]
                before = after
    return [*found, *changes(before, digest(), but=own), *crossings()]


def test_everything_is_tried() -> None:
    assert len(DOORS) > 60
    assert sum(len(_actions(model)) for model in registered()) >= 2
    assert {door.route for door in DOORS} >= set(OPEN)


def test_without_a_session_every_address_leads_to_signing_in(stage: Stage) -> None:
    for client in (Client(), stage.dead_sessions["suspended"], stage.dead_sessions["deleted"]):
        for door in DOORS:
            if door.route not in LAST:
                answer = client.get(door.address(stage.world))
                assert (door.route, answer.status_code) == (door.route, 302)
                assert re.match(r"/(admin/login/|accounts/sign-in)", answer["Location"]), (
                    door.route,
                    answer["Location"],
                )
    for client in (Client(), stage.dead_sessions["suspended"]):
        assert wrong(stage, client, lambda door: {302}) == []


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_those_who_administer_nothing_get_nothing(stage: Stage, role: Role) -> None:
    person = stage.acme[role]
    # Signed in, they are not asked to sign in again: the way there says that they may not.
    assert wrong(stage, person.client, lambda door: {302, 403}) == []
    assert person.client.get("/admin/", follow=True).status_code == 403


def test_a_former_owner_gets_nothing(stage: Stage) -> None:
    assert wrong(stage, stage.dead_sessions["removed"], lambda door: {302, 403}) == []


def test_admins_of_a_suspended_organisation_get_nothing(stage: Stage) -> None:
    client = stage.frozen[Role.OWNER].client
    assert wrong(stage, client, lambda door: {302, 403}, world=stage.frozen_world) == []


def foreign(door: AdminDoor) -> set[int]:
    # Django answers an unknown row with a way back to the index.
    return {302, 403, 404} if door.names_row else {200, 302, 400, 403, 404, 405}


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_another_organisation_s_admins_find_and_change_nothing(stage: Stage, role: Role) -> None:
    assert wrong(stage, stage.other[role].client, foreign, own={stage.other_id}) == []


def test_a_foreign_row_is_answered_as_one_that_never_was(stage: Stage) -> None:
    client, absent = stage.other[Role.OWNER].client, nowhere(stage.world)
    differing = []
    for door in DOORS:
        if not door.names_row or door.model is None:
            continue
        row = row_of(stage.world, door.model)
        twin = next((each for each in absent.rows() if type(each) is door.model), absent.document)
        place = door.address(stage.world)
        for method in ("get", "post"):
            seen = []
            for identity in (str(row.pk), str(twin.pk)):
                answer = getattr(client, method)(place.replace(str(row.pk), identity))
                session = client.session
                told = f"{answer.content.decode()} {answer.headers.get('Location')} {session.pop('_messages', '')}"
                session.save()
                told = re.sub(r'nonce="[^"]*"|name="csrfmiddlewaretoken" value="\w+"', "", told).replace(identity, "")
                seen.append((answer.status_code, told))
            if seen[0] != seen[1]:
                differing.append(f"{method} {door.route}: {seen}")
    assert differing == []


def test_choosers_offer_nothing_foreign(stage: Stage) -> None:
    client = stage.other[Role.OWNER].client
    asked = 0
    for model in registered():
        for field in model._meta.fields:
            if isinstance(field, ForeignKey) and field.related_model in registered():
                chooser = {
                    "app_label": model._meta.app_label,
                    "model_name": model._meta.model_name or "",
                    "field_name": field.name,
                }
                for term in (stage.world.word, "alice", "acme", ""):
                    answer = client.get(reverse("admin:autocomplete"), {**chooser, "term": term})
                    told = answer.content.decode()
                    asked += answer.status_code == 200
                    assert not any(word in told for word in (*stage.words, "alice", "Acme")), (model, field.name)
    assert asked


@pytest.mark.django_db(transaction=True)
def test_no_form_takes_a_foreign_row(alice: Person, charlie: Person) -> None:
    """Each reference of each form, in turn, set to a row of another organisation; and each field of the table."""
    mine, foreign_world = world_make(charlie, word="submarine"), world_make(alice, word="lighthouse")
    sent = 0
    for model in registered():
        for page in (address(model, "add"), address(model, "change", row_of(mine, model).pk)):
            opened = charlie.client.get(page)
            if opened.status_code != 200:
                continue
            unchanged = form_of(opened.content.decode())
            for name, value in references(model, foreign_world):
                before = digest()
                charlie.client.post(page, {**unchanged, "name": "taken", name: value})
                sent += 1
                assert changes(before, digest(), but={str(charlie.organisation.pk)}) == [], (page, name)
                assert list(crossings()) == [], (page, name)
    assert sent > 20


def references(model: type[Model], world: World) -> Iterator[tuple[str, str]]:
    for field in (*model._meta.fields, *model._meta.many_to_many):
        if isinstance(field, ForeignKey | ManyToManyField):
            related = field.related_model
            rows = [row for row in (*world.rows(), world.bot.organisation) if type(row) is related]
            for each in rows[:1]:
                yield field.name, str(each.pk)
                yield f"{field.name}_id", str(each.pk)
    yield "id", str(row_of(world, model).pk)
    yield "pk", str(row_of(world, model).pk)


@pytest.mark.django_db(transaction=True)
def test_the_organisation_s_own_admin_does_reach_these_rows(alice: Person) -> None:
    # Otherwise the refusals above would prove nothing.
    world = world_make(alice, word="lighthouse")
    reached = 0
    for door in DOORS:
        if door.route in LAST or door.route == "login/":
            continue
        answer = alice.client.get(door.address(world))
        reached += door.names_row and answer.status_code == 200
        assert answer.status_code < 500
    assert reached >= len(registered())
    worked = []
    for model in registered():
        for name in _actions(model):
            before = digest()
            alice.client.post(
                address(model, "changelist"), {"action": name, "_selected_action": [str(row_of(world, model).pk)]}
            )
            worked += [name] if changes(before, digest()) else []
    assert worked, "no action changes anything, so that refusing them proves nothing"


def test_actions_are_all_known_to_the_tests(stage: Stage) -> None:
    request = RequestFactory().get("/admin/")
    request.user = stage.owner.user
    for model in registered():
        offered = set(admin.site._registry[model].get_actions(request))
        assert offered <= {*_actions(model), "delete_selected"}
