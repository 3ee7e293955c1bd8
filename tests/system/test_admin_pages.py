"""Pages of the admin: a short side bar, empty lists that say what to do, few queries, escaped texts."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from app.accounts.choices import Role
from app.accounts.keys import api_key_create
from app.accounts.models import ApiKey, Invitation, Membership, Organisation
from app.accounts.services import invitation_create, membership_create, organisation_create, user_create
from app.audit.models import AuditEntry
from app.bots.models import Bot, BotRevision
from app.bots.services import bot_create, bot_update
from app.chat.models import Conversation, Message
from app.library.models import Document, Source
from app.privacy.models import Erasure, Export
from tests.documents import document_row
from tests.factories import Tenant, tenant_make
from tests.people import PASSWORD, Person
from tests.system.test_admin import QUERIES, address, row_of, visited

PAYLOAD = "<img src=x onerror=alert(1)>{{7*7}}"


@pytest.fixture
def mine(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


@pytest.fixture
def operator(db: Any) -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


def side_bar(client: Client) -> list[str]:
    groups = client.get("/admin/").context["sidebar_navigation"]
    return [item["title"] for group in groups for item in group["items"]]


def test_the_side_bar_is_short_and_of_what_the_person_may_open(
    acme: Organisation, alice: Person, bob: Person, operator: Client
) -> None:
    owner = side_bar(alice.client)
    assert owner[:4] == ["Dashboard", "Usage", "Settings", "Documents"]
    assert "Accounts" not in owner
    assert len(owner) <= 17
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    assert "Conversations" not in side_bar(bob.client)
    assert "Accounts" in side_bar(operator)


def test_settings_open_the_organisation_that_the_pages_are_about(alice: Person, charlie: Person) -> None:
    def settings() -> list[str]:
        return re.findall(r'href="(/admin/accounts/organisation/[^"]*)"', alice.client.get("/admin/").content.decode())

    assert settings()[0] == address(Organisation, "change", alice.organisation.pk)
    membership_create(organisation=charlie.organisation, user=alice.user, role=Role.ADMIN)
    assert settings()[0] == address(Organisation, "changelist")
    alice.client.get("/admin/?organisation=other")
    assert settings()[0] == address(Organisation, "change", charlie.organisation.pk)


def test_an_empty_list_says_what_to_do_and_a_search_without_a_hit_something_else(alice: Person) -> None:
    assert "Drop files on the portal" in alice.client.get(address(Document, "changelist")).content.decode()
    assert "A bot answers questions" in alice.client.get(address(Bot, "changelist")).content.decode()
    searched = alice.client.get(address(Bot, "changelist") + "?q=none").content.decode()
    assert "Nothing matches" in searched
    assert "A bot answers questions" not in searched


def test_names_with_markup_are_shown_as_they_are_written(alice: Person, operator: Client) -> None:
    organisation = alice.organisation
    Organisation.objects.filter(pk=organisation.pk).update(name=PAYLOAD, welcome=PAYLOAD)
    source = Source.objects.create(organisation=organisation, name=PAYLOAD)
    document_row(source, PAYLOAD, error_message=PAYLOAD, error_code="x")
    bot = bot_create(organisation=organisation, slug="x", name=PAYLOAD)
    bot_update(organisation=organisation.pk, bot=bot, settings={"system_prompt": PAYLOAD, "starters": [PAYLOAD]})
    home = Conversation.objects.create(organisation=organisation, bot=bot, title=PAYLOAD)
    Message.objects.create(organisation=organisation, conversation=home, role="user", content=PAYLOAD)
    api_key_create(organisation=organisation, name=PAYLOAD)
    seen = 0
    for client in (alice.client, operator):
        for model in (Organisation, Source, Document, Bot, BotRevision, Conversation, Message, ApiKey):
            row = model._default_manager.filter(
                **({} if model is Organisation else {"organisation": organisation})
            ).last()
            assert row is not None
            for page in (address(model, "changelist"), address(model, "change", row.pk)):
                text = client.get(page).content.decode()
                assert "<img src=x" not in text, page
                seen += text.count("&lt;img src=x onerror=alert(1)&gt;{{7*7}}")
        for page in (address(Bot, "delete", bot.pk), f"/admin/bots/bot/{bot.pk}/pause/"):
            text = client.get(page).content.decode()
            assert "<img src=x" not in text
            seen += text.count("&lt;img src=x")
    assert seen > 30


def test_three_organisations_of_many_rows_cost_no_page_more_than_twenty_queries(
    alice: Person, charlie: Person, mine: Tenant, operator: Client
) -> None:
    third = organisation_create(slug="third", name="Third")
    for organisation in (charlie.organisation, third):
        membership_create(organisation=organisation, user=alice.user, role=Role.OWNER)
    for organisation in (alice.organisation, charlie.organisation, third):
        fill(organisation, alice)
    costs = {}
    for client in (alice.client, operator):
        for page in ["/admin/", "/admin/?days=90", *visited(mine, alice), *confirmations(mine, alice)]:
            with CaptureQueriesContext(connection) as queries:
                assert client.get(page).status_code in (200, 403), page
            costs[page] = max(costs.get(page, 0), len(queries))
    assert {page: cost for page, cost in costs.items() if cost > QUERIES} == {}


def confirmations(tenant: Tenant, person: Person) -> list[str]:
    rows = [row_of(tenant, person, model) for model in (Organisation, Document, Bot, BotRevision, ApiKey, Membership)]
    names = ("suspend", "retry_this", "pause", "restore", "rotate", "sign_out")
    return [
        f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{name}/"
        for row, name in zip(rows, names, strict=True)
    ]


def fill(organisation: Organisation, person: Person) -> None:
    bot = bot_create(organisation=organisation, slug="many", name="Many")
    source = Source.objects.create(organisation=organisation, name="Many")
    for number in range(25):
        word = f"{organisation.slug}-{number}"
        document_row(source, word, uploaded_by=person.user)
        home = Conversation.objects.create(organisation=organisation, bot=bot, user=person.user, title=word)
        for role in ("user", "assistant"):
            Message.objects.create(organisation=organisation, conversation=home, role=role, content=word)
        user = user_create(email=f"{word}@example.org", password=PASSWORD)
        membership_create(organisation=organisation, user=user, role=Role.VIEWER)
        api_key_create(organisation=organisation, name=word, created_by=person.user)
        bot_create(organisation=organisation, slug=f"b{number}", name=word)
        bot_update(organisation=organisation.pk, bot=bot, settings={"temperature": number / 25})
        invitation_create(
            organisation=organisation, email=f"i-{word}@example.org", role=Role.VIEWER, invited_by=person.user,
            inviter_role=Role.OWNER,
        )  # fmt: skip


@pytest.mark.parametrize(("model", "fields"), [("export", ["who"]), ("erasure", ["who", "confirm"])])
def test_what_is_typed_into_has_an_edge_that_can_be_seen(alice: Person, model: str, fields: list[str]) -> None:
    page = alice.client.get(f"/admin/privacy/{model}/add/").content.decode()
    for field in fields:
        [found] = re.findall(rf'<input[^>]*name="{field}"[^>]*>', page)
        assert re.search(r'class="[^"]*\bborder\b', found), found


def test_an_address_without_an_id_is_no_page(alice: Person, mine: Tenant) -> None:
    for page in (f"apikey/{mine.api_key.pk}/nothing/", f"apikey/{mine.api_key.pk}/nothing/change/", "apikey/x/rotate/"):
        response = alice.client.get(f"/admin/accounts/{page}", follow=True)
        assert (page, response.status_code) in ((page, 200), (page, 404))
        assert mine.api_key.name not in response.content.decode() or response.redirect_chain


def test_every_page_of_a_row_leads_to_its_changes_in_the_audit_trail(alice: Person, mine: Tenant) -> None:
    page = alice.client.get(address(ApiKey, "change", mine.api_key.pk)).content.decode()
    trail = f"{address(AuditEntry, 'changelist')}?q={mine.api_key.pk}"
    assert trail in page
    assert "api_key.create" in alice.client.get(trail).content.decode()
    member = Membership.objects.get(user=alice.user)
    page = alice.client.get(address(Membership, "change", member.pk)).content.decode()
    assert f"?q={alice.user.pk}" in page


def test_a_deletion_says_what_goes_with_the_row(alice: Person, mine: Tenant) -> None:
    page = alice.client.get(address(Bot, "delete", mine.bot.pk)).content.decode()
    assert "all conversations with it" in page
    assert "This cannot be undone." in page


def test_the_words_of_an_export_and_an_erasure_have_fields_that_can_be_seen(alice: Person) -> None:
    for model, names in ((Export, ("who",)), (Erasure, ("who", "confirm"))):
        page = alice.client.get(address(model, "add")).content.decode()
        for name in names:
            field = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
            assert field is not None
            assert "border" in field[0]


def test_buttons_and_choices_are_in_the_words_of_people(alice: Person, mine: Tenant) -> None:
    pages = {Erasure: "Erase for good", Export: "Make the export", ApiKey: "Make the key", Invitation: "Make a link"}
    for model, words in pages.items():
        page = alice.client.get(address(model, "add")).content.decode()
        buttons = [
            " ".join(found.split()) for found in re.findall(r'name="_save"[^>]*>(.*?)</button>', page, re.DOTALL)
        ]
        assert buttons == [words]
    for page in (address(Bot, "change", mine.bot.pk), address(BotRevision, "change", mine.bot.live_revision_id)):
        text = alice.client.get(page).content.decode()
        assert "Answers from your documents" in text
        assert not re.search(r">\s*rag\s*<", text)
        assert "apps and models" not in text


def test_every_column_is_named_with_a_capital_on_a_phone_too(operator: Client, mine: Tenant) -> None:
    labels = set()
    for model in (Membership, Document, Bot, Source, Organisation):
        page = operator.get(address(model, "changelist")).content.decode()
        labels |= set(re.findall(r'data-label="([^"]*)"', page))
    assert {"User", "Name", "State", "Updated"} <= labels
    assert {label for label in labels if label[:1] != label[:1].upper()} == set()


def test_what_erases_for_good_has_the_colour_of_danger(alice: Person) -> None:
    def colour(page: str) -> bool:
        (button,) = re.findall(r'<button[^>]*name="_save"[^>]*>', page, re.DOTALL)
        return "bg-red-600" in button

    assert colour(alice.client.get(address(Erasure, "add")).content.decode())
    assert not colour(alice.client.get(address(Export, "add")).content.decode())
