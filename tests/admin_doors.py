"""Every address of Django admin as its URL conf has it, and how to knock at it with rows of a world."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from selectolax.lexbor import LexborHTMLParser

from app.accounts.models import Organisation, User
from tests.world import World


def registered() -> list[type[Model]]:
    return list(admin.site._registry)


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(world: World, model: type[Model]) -> Model:
    """A row of the model in a world."""
    person = world.bot.organisation.memberships.order_by("created", "id").select_related("user").first()
    assert person is not None
    special: dict[Any, Any] = {
        Organisation: world.bot.organisation,
        User: person.user,
        type(person): person,
        type(world.bot.live_revision): world.bot.live_revision,
    }
    if model in special:
        return special[model]  # type: ignore[no-any-return]
    found = [row for row in world.rows() if type(row) is model]
    if not found and any(field.name == "organisation" for field in model._meta.fields):
        # What the making of the world left behind: entries of the trail, say.
        found = list(model._default_manager.filter(organisation=world.bot.organisation)[:1])
    assert found, f"tests/world.py makes no {model.__name__}: add one, so that its page is tested"
    return found[0]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AdminDoor:
    """route: below /admin/, with names in angle brackets. model: whose rows `object_id` names, if any."""

    route: str
    model: type[Model] | None

    @property
    def names_row(self) -> bool:
        return "object_id" in self.route

    def address(self, world: World) -> str:
        """With ids of the world in every position."""
        path = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", self.route).strip("^$")
        row = row_of(world, self.model) if self.model else world.document
        values = {
            "object_id": row.pk,
            "content_type_id": ContentType.objects.get_for_model(type(row)).pk,
            "app_label": "accounts",
            "url": "nothing",
        }
        return "/admin/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), path)


def admin_doors() -> list[AdminDoor]:
    top = next(each for each in get_resolver().url_patterns if str(each.pattern) == "admin/")
    assert isinstance(top, URLResolver)
    tables = {f"{model._meta.app_label}/{model._meta.model_name}/": model for model in registered()}
    found = []
    for route in _routes(top.url_patterns):
        model = next((model for table, model in tables.items() if route.startswith(table)), None)
        found.append(AdminDoor(route, model))
    return found


def _routes(patterns: Any, before: str = "") -> Iterator[str]:
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _routes(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            yield route


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the page's largest form, unchanged."""
    forms = sorted(LexborHTMLParser(page).css("form"), key=lambda form: len(form.css("[name]")))
    sent: dict[str, str] = {}
    for node in forms[-1].css("input, textarea, select") if forms else []:
        name = node.attributes.get("name")
        if not name or name == "csrfmiddlewaretoken" or name.startswith("_"):
            continue
        if node.tag == "textarea":
            sent[name] = node.text().lstrip("\n")
        elif node.tag == "select":
            chosen = node.css_first("option[selected]")
            sent[name] = (chosen.attributes.get("value") or "") if chosen else ""
        elif node.attributes.get("type") not in ("checkbox", "radio") or "checked" in node.attributes:
            sent[name] = node.attributes.get("value") or ""
    return sent
