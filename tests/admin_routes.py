"""The addresses of Django admin as its URL conf has them, filled with the rows of a tenant."""

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
from app.llm.models import EmbeddingChange
from tests.embedding_changes import embedding_change_row
from tests.factories import Tenant


def registered() -> list[type[Model]]:
    return list(admin.site._registry)


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(tenant: Tenant, model: type[Model]) -> Model:
    """Return a row of the model in a tenant."""
    if model not in tenant.found:
        tenant.found[model] = _row_find(tenant, model)
    return tenant.found[model]  # type: ignore[no-any-return]


def _row_find(tenant: Tenant, model: type[Model]) -> Model:
    person = tenant.bot.organisation.memberships.order_by("created", "id").select_related("user").first()
    assert person is not None
    special: dict[Any, Any] = {
        Organisation: tenant.bot.organisation,
        User: person.user,
        type(person): person,
        type(tenant.bot.live_revision): tenant.bot.live_revision,
    }
    if model is EmbeddingChange:
        return embedding_change_row()
    if model in special:
        return special[model]  # type: ignore[no-any-return]
    found = [row for row in tenant.rows() if type(row) is model]
    if not found and any(field.name == "organisation" for field in model._meta.fields):
        # Written by the services that made the tenant, such as entries of the trail.
        found = list(model._default_manager.filter(organisation=tenant.bot.organisation)[:1])
    assert found, f"tests/factories.py makes no {model.__name__}: add one, so that its page is tested"
    return found[0]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AdminRoute:
    """pattern: below /admin/, with names in angle brackets. model: whose rows `object_id` names, if any."""

    pattern: str
    model: type[Model] | None

    @property
    def names_row(self) -> bool:
        return "object_id" in self.pattern

    def address(self, tenant: Tenant) -> str:
        """Return the address with ids of the tenant in every position."""
        path = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", self.pattern).strip("^$")
        row = row_of(tenant, self.model) if self.model else tenant.document
        values = {
            "object_id": row.pk,
            "content_type_id": ContentType.objects.get_for_model(type(row)).pk,
            "app_label": "accounts",
            "url": "nothing",
        }
        return "/admin/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), path)


def admin_routes() -> list[AdminRoute]:
    top = next(each for each in get_resolver().url_patterns if str(each.pattern) == "admin/")
    assert isinstance(top, URLResolver)
    tables = {f"{model._meta.app_label}/{model._meta.model_name}/": model for model in registered()}
    found = []
    for route in _routes(top.url_patterns):
        model = next((model for table, model in tables.items() if route.startswith(table)), None)
        found.append(AdminRoute(route, model))
    return found


def _routes(patterns: Any, before: str = "") -> Iterator[str]:
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _routes(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            yield route


def form_of(page: str) -> dict[str, str]:
    """Return the fields of the page's largest form as a browser sends them, unchanged."""
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
