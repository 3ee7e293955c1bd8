"""Django admin: who sees what, what each page costs, and that changes go through the services."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from selectolax.lexbor import LexborHTMLParser

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Invitation, Membership, Organisation, User
from app.accounts.services import membership_create, organisation_create, user_create
from app.admin_site.tenant_admin import ScopedAdmin
from app.audit.models import AuditEntry
from app.bots.models import Bot, BotRevision
from app.chat.models import Conversation, Message
from app.jobs.models import Job
from app.library.models import Document, Source
from app.llm.models import EmbeddingChange
from tests.documents import document_row
from tests.embedding_changes import embedding_change_row
from tests.factories import Tenant, tenant_make
from tests.people import PASSWORD, Person

QUERIES = 20


@pytest.fixture
def mine(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


@pytest.fixture
def foreign(charlie: Person) -> Tenant:
    return tenant_make(charlie, word="submarine")


@pytest.fixture
def operator(db: Any) -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


def pages() -> list[type[Model]]:
    return list(admin.site._registry)


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(tenant: Tenant, person: Person, model: type[Model]) -> Model:
    """Return a row of the model in a tenant."""
    if model is EmbeddingChange:
        return embedding_change_row()
    special: dict[Any, Any] = {
        Organisation: person.organisation,
        User: person.user,
        Membership: person.user.memberships.first(),
        BotRevision: tenant.bot.live_revision,
        AuditEntry: AuditEntry.objects.filter(organisation=person.organisation).first(),
    }
    if model in special:
        return special[model]
    found = [row for row in tenant.rows() if type(row) is model]
    assert found, f"tests/factories.py makes no {model.__name__}: add one, so that its page is tested"
    return found[0]


def box_only(model: type[Model]) -> bool:
    return bool(admin.site._registry[model].box_only)  # type: ignore[attr-defined]


def visited(tenant: Tenant, person: Person, *, box: bool = False) -> Iterator[str]:
    for model in pages():
        if box_only(model) and not box:
            continue
        yield address(model, "changelist")
        yield address(model, "change", row_of(tenant, person, model).pk)
        yield address(model, "history", row_of(tenant, person, model).pk)


def test_every_table_in_admin_is_scoped() -> None:
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, ScopedAdmin)] == []


def test_every_page_opens_for_an_operator(operator: Client, alice: Person, mine: Tenant) -> None:
    for page in ["/admin/", "/admin/accounts/", *visited(mine, alice, box=True)]:
        assert (page, operator.get(page).status_code) == (page, 200)
    for model in pages():
        wanted = 200 if admin.site._registry[model].may_add else 403  # type: ignore[attr-defined]
        assert (model, operator.get(address(model, "add")).status_code) == (model, wanted)


def test_every_page_opens_for_an_owner_and_shows_nothing_foreign(
    alice: Person, charlie: Person, mine: Tenant, foreign: Tenant
) -> None:
    for page in ["/admin/", *visited(mine, alice)]:
        response = alice.client.get(page)
        assert (page, response.status_code) == (page, 200)
        text = response.content.decode()
        assert "submarine" not in text, page
        assert "charlie" not in text, page
        assert str(charlie.organisation.pk) not in text, page


def test_the_box_s_own_pages_do_not_open_for_an_owner(alice: Person, mine: Tenant) -> None:
    for model in filter(box_only, pages()):
        row = row_of(mine, alice, model)
        for page in (address(model, "changelist"), address(model, "add"), address(model, "change", row.pk)):
            assert (page, alice.client.get(page).status_code) == (page, 403)
    assert any(map(box_only, pages()))


def test_pages_load_nothing_from_outside(alice: Person, mine: Tenant) -> None:
    loaded = set()
    for page in ["/api/v1/docs", "/api/v1/docs?try", "/admin/", *visited(mine, alice)]:
        html = alice.client.get(page).content.decode()
        loaded |= set(re.findall(r"""<(?:script|link|img|iframe)[^>]*?(?:src|href)=["']([^"']+)""", html))
    assert any(each.startswith("/static/ninja/") for each in loaded)
    assert {each for each in loaded if not re.match(r"/[^/]", each)} == set()
    loaded -= {"/admin/jsi18n/"}  # made by Django, not a file
    assert {each for each in loaded if finders.find(each.removeprefix("/static/").split("?")[0]) is None} == set()


def test_forms_to_add_offer_nothing_foreign(alice: Person, mine: Tenant, foreign: Tenant) -> None:
    opened = 0
    for model in pages():
        response = alice.client.get(address(model, "add"))
        if response.status_code == 200:
            opened += 1
            assert "submarine" not in response.content.decode()
            assert "Other" not in re.findall(r"<option[^>]*>([^<]*)", response.content.decode())
    assert opened >= 3


def test_an_admin_of_two_organisations_chooses_between_them_only(alice: Person, charlie: Person, db: Any) -> None:
    third = organisation_create(slug="third", name="Third")
    membership_create(organisation=charlie.organisation, user=alice.user, role=Role.ADMIN)
    membership_create(organisation=third, user=alice.user, role=Role.EDITOR)
    for model in (ApiKey, Invitation, Source, Bot):
        page = alice.client.get(address(model, "add")).content.decode()
        assert {"Acme", "Other"} <= set(re.findall(r"<option[^>]*>([^<]*)", page)), model
        assert "Third" not in page, model
    given = {"name": "program", "role": "viewer", "scopes": ["chat"]}
    response = alice.client.post(address(ApiKey, "add"), {**given, "organisation": str(third.pk)})
    assert re.search(r"rk_[\w-]{40,}", response.content.decode()) is None
    assert not ApiKey.objects.filter(organisation=third).exists()
    # An owner here is only an admin there.
    alice.client.post(
        address(ApiKey, "add"), {**given, "name": "x", "role": "owner", "organisation": str(charlie.organisation.pk)}
    )
    assert not ApiKey.objects.filter(name="x").exists()
    alice.client.post(address(ApiKey, "add"), {**given, "organisation": str(charlie.organisation.pk)})
    assert ApiKey.objects.get(name="program").organisation == charlie.organisation


def test_rows_of_another_organisation_do_not_exist(alice: Person, charlie: Person, foreign: Tenant) -> None:
    for model in pages():
        for page in ("change", "delete", "history"):
            response = alice.client.get(address(model, page, row_of(foreign, charlie, model).pk))
            # Django answers an unknown row with a way back to the index.
            assert (model, page, response.status_code) in [(model, page, 302), (model, page, 403), (model, page, 404)]
            assert "submarine" not in response.content.decode()


def test_changes_and_actions_on_foreign_rows_change_nothing(alice: Person, charlie: Person, foreign: Tenant) -> None:
    for model in pages():
        row = row_of(foreign, charlie, model)
        before = list(model._default_manager.filter(pk=row.pk).values())
        alice.client.post(address(model, "change", row.pk), {"name": "taken", "role": "viewer", "email": "a@b.org"})
        alice.client.post(address(model, "delete", row.pk), {"post": "yes"})
        for name in {*admin.site._registry[model].get_actions(_request(alice)), "delete_selected"}:
            chosen = {"action": name, "_selected_action": [str(row.pk)], "post": "yes"}
            alice.client.post(address(model, "changelist"), chosen)
        assert list(model._default_manager.filter(pk=row.pk).values()) == before


def _request(person: Person) -> Any:
    request = RequestFactory().get("/admin/")
    request.user = person.user
    return request


def test_search_filters_and_choosers_stay_inside(alice: Person, mine: Tenant, foreign: Tenant) -> None:
    for model in pages():
        text = alice.client.get(address(model, "changelist") + "?q=submarine").content.decode()
        assert "submarine source" not in text
        assert "submarine.txt" not in text
    palette = alice.client.get("/admin/search/?s=submarine&extended=1").content.decode()
    assert "submarine" not in palette
    assert "lighthouse.txt" in alice.client.get("/admin/search/?s=lighthouse&extended=1").content.decode()
    chooser = {"app_label": "accounts", "model_name": "membership", "field_name": "user", "term": "charlie"}
    assert alice.client.get("/admin/autocomplete/", chooser).json()["results"] == []


@pytest.mark.parametrize(
    ("page", "lookup"),
    [
        ("accounts_user", "password__startswith=p"),
        ("accounts_apikey", "key_hash__startswith=a"),
        ("accounts_invitation", "token_hash__startswith=a"),
        ("accounts_membership", "user__password__startswith=p"),
        ("chat_conversation", "messages__content__contains=a"),
    ],
)
def test_a_list_cannot_be_filtered_by_what_it_does_not_show(
    alice: Person, mine: Tenant, page: str, lookup: str
) -> None:
    response = alice.client.get(reverse(f"admin:{page}_changelist") + f"?{lookup}")
    assert response.status_code in (302, 400)


def test_editors_viewers_and_deactivated_owners_cannot_enter(acme: Organisation, bob: Person, alice: Person) -> None:
    for role in (Role.VIEWER, Role.EDITOR):
        membership_create(organisation=acme, user=bob.user, role=role)
        assert bob.client.get("/admin/", follow=True).status_code == 403
    alice.user.is_active = False
    alice.user.save()
    response = alice.client.get("/admin/")
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")


def test_signing_in_happens_on_the_portal_s_page(db: Any) -> None:
    first = Client().get("/admin/library/document/")
    second = Client().get(first["Location"])
    assert second["Location"] == "/accounts/sign-in?next=/admin/library/document/"
    posted = Client().post("/admin/login/", {"username": "a@b.org", "password": "x"})
    assert posted["Location"].startswith("/accounts/sign-in")


def test_an_admin_sees_documents_but_no_conversations(acme: Organisation, bob: Person, mine: Tenant) -> None:
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    assert bob.client.get(address(Document, "changelist")).status_code == 200
    for model in (Conversation, Message):
        assert bob.client.get(address(model, "changelist")).status_code == 403
    row = Conversation.objects.get(title="lighthouse conversation")
    assert bob.client.get(address(Conversation, "change", row.pk)).status_code in (302, 403)
    assert "onversation" not in bob.client.get("/admin/").content.decode()


def test_no_page_costs_more_than_twenty_queries(alice: Person, operator: Client, mine: Tenant) -> None:
    for number in range(30):
        document_row(mine.source, f"{number}.txt", uploaded_by=alice.user)
        user = user_create(email=f"person{number}@example.org", password=PASSWORD)
        membership_create(organisation=alice.organisation, user=user, role=Role.VIEWER)
        Message.objects.create(
            organisation=alice.organisation, conversation=mine.conversation, role="user", content="again"
        )
        Conversation.objects.create(organisation=alice.organisation, bot=mine.bot, user=user)
        Source.objects.create(organisation=alice.organisation, name=f"source {number}")
    costs = {}
    for client in (alice.client, operator):
        for page in ["/admin/", *visited(mine, alice)]:
            with CaptureQueriesContext(
                connection,
            ) as queries:
                client.get(page)
            costs[page] = len(queries)
    assert {page: cost for page, cost in costs.items() if cost > QUERIES} == {}


def test_an_api_key_is_shown_once_and_kept_nowhere(alice: Person) -> None:
    response = alice.client.post(
        address(ApiKey, "add"), {"name": "program", "role": "editor", "scopes": ["documents:read", "chat"]}
    )
    key = re.search(r"rk_[\w-]{40,}", response.content.decode())
    assert key is not None
    row = ApiKey.objects.get(name="program")
    assert (row.organisation, row.role, row.created_by) == (alice.organisation, "editor", alice.user)
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {key[0]}"})
    assert me.json()["role"] == "editor"
    for page in (address(ApiKey, "changelist"), address(ApiKey, "change", row.pk)):
        assert key[0] not in alice.client.get(page).content.decode()
    assert key[0] not in str(alice.client.session.items())


def test_a_key_is_revoked_by_an_action(alice: Person, mine: Tenant) -> None:
    chosen = {"action": "revoke", "_selected_action": [str(mine.api_key.pk)]}
    alice.client.post(address(ApiKey, "changelist"), chosen)
    mine.api_key.refresh_from_db()
    assert mine.api_key.revoked is not None


def test_an_invitation_link_is_shown_once(alice: Person) -> None:
    response = alice.client.post(address(Invitation, "add"), {"email": "Dora@example.org", "role": "viewer"})
    link = re.search(r"http://localhost:8000(/accounts/invitations/[\w-]+)", response.content.decode())
    assert link is not None
    assert Client().get(link[1]).status_code == 200
    assert Invitation.objects.get().email == "dora@example.org"


def test_an_admin_grants_no_role_above_their_own(acme: Organisation, alice: Person, bob: Person) -> None:
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    for model, values in ((Invitation, {"email": "dora@example.org"}), (ApiKey, {"name": "mine"})):
        response = bob.client.post(address(model, "add"), {**values, "role": "owner", "scopes": ["chat"]})
        assert "owner" in response.content.decode()
        assert not model.objects.filter(role="owner", **values).exists()
    own, hers = (Membership.objects.get(user=person.user) for person in (bob, alice))
    bob.client.post(address(Membership, "change", own.pk), {"role": "owner"})
    bob.client.post(address(Membership, "change", hers.pk), {"role": "viewer"})
    bob.client.post(address(Membership, "delete", hers.pk), {"post": "yes"})
    assert set(Membership.objects.values_list("user__email", "role")) == {
        ("alice@example.org", "owner"),
        ("bob@example.org", "admin"),
    }


def test_the_last_owner_cannot_be_demoted_here_either(alice: Person) -> None:
    own = Membership.objects.get(user=alice.user)
    response = alice.client.post(address(Membership, "change", own.pk), {"role": "admin"}, follow=True)
    assert "An organisation needs an owner." in response.content.decode()
    own.refresh_from_db()
    assert own.role == "owner"


def test_failed_documents_are_read_again_from_the_list(alice: Person, mine: Tenant) -> None:
    Document.objects.filter(pk=mine.document.pk).update(state="failed", error_code="broken_file")
    chosen = {"action": "retry", "_selected_action": [str(mine.document.pk)]}
    alice.client.post(address(Document, "changelist"), chosen)
    mine.document.refresh_from_db()
    assert (mine.document.state, mine.document.error_code) == ("queued", "")


def test_saving_a_document_s_page_changes_nothing(alice: Person, mine: Tenant) -> None:
    before = Document.objects.values().get(pk=mine.document.pk)
    alice.client.post(address(Document, "change", mine.document.pk), {"name": "other", "state": "failed", **INLINES})
    assert Document.objects.values().get(pk=mine.document.pk) == before


INLINES = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}


def test_a_document_is_deleted_with_what_hangs_on_it(alice: Person, mine: Tenant) -> None:
    page = address(Document, "delete", mine.document.pk)
    assert alice.client.get(page).status_code == 200
    alice.client.post(page, {"post": "yes"})
    assert not Document.objects.filter(pk=mine.document.pk).exists()
    # The vectors and the file follow by a job, so the service was used and not only the row deleted.
    assert Job.objects.filter(organisation=alice.organisation, kind="document_delete").exists()


def test_saving_changed_settings_publishes_a_revision(alice: Person, mine: Tenant) -> None:
    page = address(Bot, "change", mine.bot.pk)
    form = _form(alice.client.get(page).content.decode())
    alice.client.post(page, form)
    assert BotRevision.objects.filter(bot=mine.bot).count() == 1
    response = alice.client.post(
        page, {**form, "temperature": "0.7", "starters": "One?\nTwo?", "sources": mine.source.pk}
    )
    assert response.status_code == 302, response.context["errors"]
    mine.bot.refresh_from_db()
    assert mine.bot.live_revision is not None
    assert (mine.bot.live_revision.number, mine.bot.live_revision.parsed.temperature) == (2, 0.7)
    assert mine.bot.live_revision.parsed.starters == ["One?", "Two?"]
    assert list(mine.bot.sources.all()) == [mine.source]
    assert mine.bot.live_revision.created_by == alice.user


def test_a_bot_cannot_read_a_foreign_source(alice: Person, mine: Tenant, foreign: Tenant) -> None:
    page = address(Bot, "change", mine.bot.pk)
    form = _form(alice.client.get(page).content.decode())
    response = alice.client.post(page, {**form, "sources": foreign.source.pk})
    assert response.status_code == 200
    assert list(mine.bot.sources.all()) == []


def test_wrong_settings_come_back_with_words(alice: Person, mine: Tenant) -> None:
    page = address(Bot, "change", mine.bot.pk)
    form = _form(alice.client.get(page).content.decode())
    response = alice.client.post(page, {**form, "temperature": "9"})
    assert response.status_code == 200
    assert "less than or equal to 2" in response.content.decode()


def _form(page: str) -> dict[str, str]:
    """Return the fields of the bot's form as a browser sends them, unchanged."""
    sent = {}
    for node in LexborHTMLParser(page).css("#bot_form input, #bot_form textarea, #bot_form select"):
        name = node.attributes.get("name")
        if not name or name in ("sources", "csrfmiddlewaretoken") or name.startswith("_"):
            continue
        if node.tag == "textarea":
            sent[name] = node.text().lstrip("\n")
        elif node.tag == "select":
            chosen = node.css_first("option[selected]")
            sent[name] = (chosen.attributes.get("value") or "") if chosen else ""
        else:
            sent[name] = node.attributes.get("value") or ""
    return sent
