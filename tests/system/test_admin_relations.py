"""No admin form takes an id of another organisation: generated from every form that the admin has."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.forms import ModelChoiceField
from django.test import RequestFactory
from django.urls import reverse
from selectolax.lexbor import LexborHTMLParser

from app.accounts.choices import Role
from app.accounts.services import membership_create
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.snapshot import changes, snapshot
from tests.system.test_admin import pages, row_of

# Rows that the account itself or each change makes: no form carries them over.
PASSING = ("accounts.SignIn", "sessions.Session")


@pytest.fixture
def mine(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


@pytest.fixture
def foreign(charlie: Person) -> Tenant:
    return tenant_make(charlie, word="submarine")


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def forms_of(person: Person, tenant: Tenant) -> Iterator[tuple[type[Model], str, Any, dict[str, Any]]]:
    """Yield the forms that the person may save: table, address, row, and the fields that name other rows."""
    request = RequestFactory().get("/admin/")
    request.user = person.user
    request.session = {}  # type: ignore[assignment]
    for model in pages():
        page = admin.site._registry[model]
        places = [("add", None)] if page.has_add_permission(request) else []
        row = row_of(tenant, person, model)
        if page.has_change_permission(request, row):
            places.append(("change", row))
        for name, obj in places:
            fields = page.get_form(request, obj, change=obj is not None).base_fields
            related = {key: field for key, field in fields.items() if isinstance(field, ModelChoiceField)}
            yield model, address(model, name, *([obj.pk] if obj else [])), obj, related


def filled(page: str) -> dict[str, Any]:
    """Return the fields of a form as a browser sends them, unchanged."""
    sent: dict[str, Any] = {}
    for node in LexborHTMLParser(page).css("#content form input, #content form textarea, #content form select"):
        name, kind = node.attributes.get("name"), node.attributes.get("type")
        if not name or name.startswith("_") or name == "csrfmiddlewaretoken":
            continue
        if node.tag == "textarea":
            sent[name] = node.text().lstrip("\n")
        elif node.tag == "select":
            sent[name] = [option.attributes.get("value") or "" for option in node.css("option[selected]")]
        elif kind in ("checkbox", "radio"):
            if "checked" in node.attributes:
                sent.setdefault(name, []).append(node.attributes.get("value") or "on")
        else:
            sent[name] = node.attributes.get("value") or ""
    return sent


def test_every_relation_of_every_form_refuses_rows_of_others(
    alice: Person, charlie: Person, mine: Tenant, foreign: Tenant, third_of_alice: None
) -> None:
    tried = []
    before = snapshot()
    for model, place, _, related in forms_of(alice, mine):
        for name, field in related.items():
            other = row_of(foreign, charlie, field.queryset.model)
            form = filled(alice.client.get(place).content.decode())
            form |= {"name": "taken", "email": "taken@example.org", "slug": "taken", "role": "viewer"}
            response = alice.client.post(place, {**form, name: [str(other.pk)]})
            tried.append((model.__name__, name))
            assert response.status_code == 200, f"{model.__name__}.{name} took a row of another organisation"
            assert response.context["errors"], (model, name)
            assert "submarine" not in response.content.decode()
    assert changes(before, snapshot()) == []
    assert len(tried) >= 4, tried


def test_fields_that_no_form_shows_are_not_taken_either(
    alice: Person, charlie: Person, mine: Tenant, foreign: Tenant
) -> None:
    """Every relation of every table, the organisation above all, sent with a form that does not ask for it."""
    for model, place, obj, related in list(forms_of(alice, mine)):
        hidden = {
            field.name: str(row_of(foreign, charlie, field.related_model).pk)
            for field in model._meta.fields
            if field.is_relation and field.related_model in pages() and field.name not in related
        }
        if not hidden:
            continue
        form = filled(alice.client.get(place).content.decode())
        before = snapshot()
        alice.client.post(place, {**form, **hidden})
        assert changes(before, snapshot(), but=[str(alice.organisation.pk)]) == [], (model, place)
        if obj is not None:
            assert type(obj)._default_manager.get(pk=obj.pk).__dict__.get("organisation_id") in (
                None,
                alice.organisation.pk,
            )


@pytest.fixture
def third_of_alice(alice: Person, db: Any) -> None:
    """Make alice an owner of two organisations, so that forms ask her which."""
    from app.accounts.services import organisation_create

    membership_create(organisation=organisation_create(slug="second"), user=alice.user, role=Role.OWNER)
