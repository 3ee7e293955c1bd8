"""Nothing is changed without a trace: every writing operation of the API and every route of every admin page.

The routes come from the router and the admin site. One that leaves no entry in the audit trail fails here, unless it
stands below with its reason; so does one that this test does not know how to make succeed.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.utils import timezone
from selectolax.lexbor import LexborHTMLParser

from app.accounts.choices import Role
from app.accounts.models import ApiKey, ClaimRule, Invitation, Membership, Organisation, User
from app.accounts.services import membership_create, user_create
from app.audit.actors import KEY, PERSON
from app.audit.models import AuditEntry
from app.bots.models import Bot
from app.jobs.models import Job
from app.library.choices import SourceKind
from app.library.connectors import registry
from app.library.models import Document, Source
from app.library.tests.shelf import ShelfConnector
from app.llm.choices import ChangeState
from app.llm.models import EmbeddingChange, ModelEndpoint
from app.plans.models import Plan
from app.privacy.models import Erasure, Export
from tests.embedding_changes import embedding_change_row
from tests.factories import Tenant, tenant_make
from tests.people import PASSWORD, Person
from tests.routes import Route, request_for, routes
from tests.system.test_admin import address, row_of

CALLS_WITHOUT_A_TRACE = {
    "POST /api/v1/search": "reads",
    "POST /api/v1/bots/{slug}/chat": "a reader's turn: the conversation itself is the record",
    "PATCH /api/v1/conversations/{conversation_id}": "the reader's own",
    "DELETE /api/v1/conversations/{conversation_id}": "the reader's own",
    "POST /api/v1/messages/{message_id}/stop": "the reader's own",
    "POST /api/v1/messages/{message_id}/feedback": "the reader's own",
}
WRITING = [route for route in routes() if route.writes and route.name not in CALLS_WITHOUT_A_TRACE]


def failed(tenant: Tenant) -> None:
    Job.objects.filter(subject=str(tenant.document.pk)).update(state="done")
    Document.objects.filter(pk=tenant.document.pk).update(state="failed", error_code="broken_file")
    Erasure.objects.filter(pk=tenant.erasure.pk).update(state="failed", error_code="interrupted")


def another_owner(tenant: Tenant) -> None:
    second = user_create(email="second@example.org", password=PASSWORD)
    membership_create(organisation=tenant.source.organisation, user=second, role=Role.OWNER)


def queued(tenant: Tenant) -> None:
    Job.objects.filter(subject=str(tenant.document.pk)).update(state="done")
    Document.objects.filter(pk=tenant.document.pk).update(state="queued")
    Job.objects.filter(pk=tenant.job.pk).update(state="queued")


def _set(model: Any, pk: Any, **values: Any) -> None:
    model._default_manager.filter(pk=pk).update(**values)


def elsewhere(tenant: Tenant) -> None:
    """Put the document into another source than the one that a call moves it to."""
    other = Source.objects.create(organisation_id=tenant.source.organisation_id, name="elsewhere")
    _set(Document, tenant.document.pk, source=other)


# Preparation that a call or an action needs before it can succeed.
BEFORE: dict[str, Callable[[Tenant], None]] = {
    "POST /api/v1/documents/{document_id}/cancel": queued,
    "PATCH /api/v1/documents/{document_id}": elsewhere,
    "POST /api/v1/erasures": another_owner,
    "POST /api/v1/sources/{source_id}/runs": lambda tenant: _set(Source, tenant.source.pk, kind="push"),
    "POST /api/v1/documents/{document_id}/retry": failed,
    "retry": failed,
    "retry_this": failed,
    "cancel": queued,
    "cancel_this": queued,
    "resume": lambda tenant: _set(Bot, tenant.bot.pk, paused=timezone.now()),
    "reopen": lambda tenant: _set(Organisation, tenant.bot.organisation_id, suspended=timezone.now()),
}
# Additional fields of a button's confirmation.
ASKED = {"rotate": {"overlap": "1"}}


@pytest.fixture
def mine(alice: Person, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    # A kind that is read by itself.
    monkeypatch.setitem(registry.connectors_all(), SourceKind.PUSH, ShelfConnector)
    return tenant_make(alice, word="lighthouse")


@pytest.fixture
def operator(db: Any) -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


def traces() -> set[Any]:
    return set(AuditEntry.objects.values_list("pk", flat=True))


def new_since(before: set[Any]) -> list[AuditEntry]:
    return list(AuditEntry.objects.exclude(pk__in=before).order_by("at"))


def prepared(name: str, tenant: Tenant) -> set[Any]:
    BEFORE.get(name, lambda tenant: None)(tenant)
    return traces()


def test_the_list_of_calls_without_a_trace_names_calls() -> None:
    assert set(CALLS_WITHOUT_A_TRACE) <= {route.name for route in routes()}
    assert len(WRITING) > 10


@pytest.mark.parametrize("route", WRITING, ids=lambda route: route.name)
@pytest.mark.parametrize("way", [KEY, PERSON])
def test_every_writing_call_leaves_an_entry_of_its_caller(alice: Person, mine: Tenant, route: Route, way: str) -> None:
    before = prepared(route.name, mine)
    request = request_for(route, mine)
    client, headers = (Client(), alice.headers) if way == KEY else (alice.client, {})
    response = client.generic(
        route.method, request.path, request.data, content_type=request.content_type, headers=headers
    )
    assert response.status_code < 300, (route.name, response.content)
    made = new_since(before)
    assert made, f"{route.name} changes something without an entry in the audit trail (app/audit/trail.py)"
    actor = ApiKey.objects.get(name="alice").pk if way == KEY else alice.user.pk
    assert {(entry.actor_kind, entry.actor) for entry in made} == {(way, actor)}
    # Erasing a person's whole account is in the trail of the box as well.
    assert {entry.organisation_id for entry in made} - {None} == {alice.organisation.pk}
    assert all(entry.detail.content["address"] == "127.0.0.1" for entry in made)
    assert all(entry.detail.content["actor"] for entry in made)


# Values for a page's form: to add a row, and to change one.
ADDED: dict[Any, Callable[[Tenant], dict[str, str]]] = {
    Organisation: lambda tenant: {"name": "New", "slug": "new", "plan": "unlimited"},
    User: lambda tenant: {"email": "new@example.org", "name": "New"},
    Membership: lambda tenant: {"user": str(User.objects.get(email="operator@example.org").pk), "role": "viewer"},
    Invitation: lambda tenant: {"email": "new@example.org", "role": "viewer"},
    ApiKey: lambda tenant: {"name": "new", "role": "viewer", "scopes": "chat"},
    ClaimRule: lambda tenant: {"claim": "groups", "value": "new", "role": "viewer"},
    Plan: lambda tenant: {"name": "new", "title": "New"},
    Source: lambda tenant: {"name": "new"},
    Export: lambda tenant: {"of": "everything"},
    Erasure: lambda tenant: {"who": tenant.invitation.email, "confirm": tenant.invitation.email},
    Bot: lambda tenant: {"name": "New", "slug": "new"},
    ModelEndpoint: lambda tenant: {"name": "New", "kind": "vllm", "url": "https://93.184.215.14/v1"},
    EmbeddingChange: lambda tenant: {"url": "", "model": ""},
}
CHANGED: dict[Any, dict[str, str]] = {
    Organisation: {"name": "Another name"},
    User: {"name": "Another name"},
    Membership: {"role": "editor"},
    ClaimRule: {"role": "editor"},
    Plan: {"title": "Another title"},
    Source: {"name": "another name"},
    Bot: {"name": "Another name"},
    ModelEndpoint: {"name": "Another name"},
}
# Pages that change nothing by themselves, with the reason.
UNCHANGED = dict.fromkeys((Document, Job, EmbeddingChange), "by its buttons only")
# States in which a change of the embedding model has its buttons.
CHANGE_STATES = {"pause": "filling", "resume": "paused", "switch": "ready", "drop": "switched"}
# Actions that change nothing, with the reason.
READING_ACTIONS: dict[str, str] = {}


def pages(route: str) -> list[Any]:
    found = [model for model, page in admin.site._registry.items() if getattr(page, route)]
    assert found
    return found


def form_of(html: str) -> dict[str, Any]:
    """Return the values that a browser would send."""
    values: dict[str, Any] = {}
    for field in LexborHTMLParser(html).css("form input, form select, form textarea"):
        name, kind = field.attributes.get("name"), field.attributes.get("type")
        if not name or kind in ("submit", "file", "button"):
            continue
        if field.tag == "select":
            chosen = [each.attributes.get("value") or "" for each in field.css("option[selected]")]
            values[name] = chosen if "multiple" in field.attributes else (chosen[0] if chosen else "")
        elif kind in ("checkbox", "radio"):
            if "checked" in field.attributes:
                values[name] = field.attributes.get("value") or "on"
        else:
            values[name] = field.text() if field.tag == "textarea" else field.attributes.get("value") or ""
    return {name: value for name, value in values.items() if value != [] and name != "s"}


def sent(client: Client, page: str, values: dict[str, Any]) -> list[AuditEntry]:
    """Send a page's form and return the entries that it leaves."""
    form = form_of(client.get(page).content.decode())
    before = traces()
    response = client.post(page, {**form, **values})
    shown = LexborHTMLParser(response.content.decode()) if response.content else None
    wrong = [each.text(strip=True) for each in shown.css(".errorlist, .errornote, [role=alert]")] if shown else []
    assert response.status_code in (200, 302), page
    assert [each for each in wrong if each] == []
    return new_since(before)


def by_operator(entries: list[AuditEntry], what: Any) -> None:
    assert entries, f"{what} changes something without an entry in the audit trail (app/audit/trail.py)"
    person = User.objects.get(email="operator@example.org")
    assert {(entry.actor_kind, entry.actor) for entry in entries} == {(PERSON, person.pk)}


@pytest.mark.parametrize("model", pages("may_add"))
def test_every_page_that_adds_leaves_an_entry(
    operator: Client, alice: Person, mine: Tenant, embedder: str, model: Any
) -> None:
    assert model in ADDED, "say above what to fill in"
    values = ADDED[model](mine)
    if any(field.name == "organisation" for field in model._meta.fields):
        values = {"organisation": str(alice.organisation.pk), **values}
    by_operator(sent(operator, address(model, "add"), values), f"adding a {model.__name__}")


@pytest.mark.parametrize("model", pages("may_change"))
def test_every_page_that_changes_leaves_an_entry(operator: Client, bob: Person, mine: Tenant, model: Any) -> None:
    if model in UNCHANGED:
        return
    assert model in CHANGED, "say above what to change"
    row = bob.user.memberships.first() if model is Membership else row_of(mine, bob, model)
    assert row is not None
    entries = sent(operator, address(model, "change", row.pk), CHANGED[model])
    by_operator(entries, f"changing a {model.__name__}")
    assert any(entry.detail.content.get("before") and entry.detail.content.get("after") for entry in entries)


@pytest.mark.parametrize("model", pages("may_delete"))
@pytest.mark.parametrize("way", ["page", "action"])
def test_every_page_that_deletes_leaves_an_entry(
    operator: Client, bob: Person, mine: Tenant, model: Any, way: str
) -> None:
    row = bob.user.memberships.first() if model is Membership else row_of(mine, bob, model)
    assert row is not None
    Organisation.objects.update(plan="unlimited")  # a plan in use stays
    before = traces()
    if way == "page":
        operator.post(address(model, "delete", row.pk), {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
        operator.post(address(model, "changelist"), chosen)
    assert not model._default_manager.filter(pk=row.pk).exists()
    by_operator(new_since(before), f"deleting a {model.__name__}")


def _request() -> Any:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(email="operator@example.org")
    return request


def actions(model: Any) -> list[str]:
    page: Any = admin.site._registry[model]
    return [name for name in page.get_actions(_request()) if name != "delete_selected"]


def test_every_action_leaves_an_entry(operator: Client, alice: Person, mine: Tenant) -> None:
    tried = 0
    for model in admin.site._registry:
        row = row_of(mine, alice, model)
        for name in actions(model):
            if name in READING_ACTIONS:
                continue
            before = prepared(name, mine)
            operator.post(address(model, "changelist"), {"action": name, "_selected_action": [str(row.pk)]})
            by_operator(new_since(before), f"the action {name} of {model.__name__}")
            tried += 1
    assert tried > 3


def buttons() -> list[tuple[Any, str]]:
    """Return pages and the names of their buttons: each opens a confirmation, whose form acts."""
    found = [(model, name) for model, page in admin.site._registry.items() for name in _buttons(page)]
    assert len(found) > 5
    return found


def _buttons(page: Any) -> list[str]:
    assert not page.actions_list, "say here how to press them"
    return sorted({*page.actions_detail, *page.actions_row, *page.actions_submit_line})


@pytest.mark.parametrize(("model", "name"), buttons(), ids=lambda each: getattr(each, "__name__", each))
def test_every_button_leaves_an_entry(
    operator: Client, alice: Person, mine: Tenant, embedder: str, model: Any, name: str
) -> None:
    prepared(name, mine)
    row = row_of(mine, alice, model)
    if model is EmbeddingChange:
        row = embedding_change_row(ChangeState(CHANGE_STATES.get(name, "measured")))
    page: Any = admin.site._registry[model]
    if name in page.actions_submit_line:
        values = {f"{model._meta.app_label}_{model._meta.model_name}_{name}": ""}
        entries = sent(operator, address(model, "change", row.pk), values)
    else:
        entries = sent(operator, address(model, name, row.pk), ASKED.get(name, {}))
    by_operator(entries, f"the button {name} of {model.__name__}")
