import json
import re
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from app.accounts.models import Organisation
from app.bots.services import bot_create
from app.chat.models import Conversation
from tests.people import PASSWORD, Person


def page_data(html: str, name: str) -> Any:
    """Return the data that a page passes to its script."""
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", f"/c/{UUID(int=7)}", "/documents", f"/documents/{UUID(int=7)}", "/account"])
def test_every_page_sends_a_visitor_to_sign_in_and_back(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/sign-in?next={path}"


def test_the_first_page_offers_the_default_bot_with_its_questions(alice: Person, acme: Organisation) -> None:
    bot_create(organisation=acme, slug="a-bot", name="A bot")
    bot_create(
        organisation=acme,
        slug="default",
        name="Reference desk",
        settings={"greeting": "Ask away", "starters": ["How much leave?"]},
    )
    html = alice.client.get("/").content.decode()
    assert page_data(html, "ask-page") == {
        "bot": {
            "slug": "default",
            "name": "Reference desk",
            "greeting": "Ask away",
            "starters": ["How much leave?"],
            "welcome": "",
            "paused": False,
        },
        "conversation": None,
    }
    assert page_data(alice.client.get("/?bot=a-bot").content.decode(), "ask-page")["bot"]["slug"] == "a-bot"
    assert alice.client.get("/?bot=none").status_code == 404


def test_without_a_bot_the_first_page_says_what_to_do(alice: Person, bob: Person) -> None:
    assert "Open the admin" in alice.client.get("/").content.decode()
    seen_by_bob = bob.client.get("/").content.decode()
    assert "Ask an owner or admin of Acme" in seen_by_bob
    assert "Open the admin" not in seen_by_bob


def test_history_holds_own_conversations_only(alice: Person, bob: Person, charlie: Person, acme: Organisation) -> None:
    bot = bot_create(organisation=acme, slug="default", name="Reference desk")
    own = Conversation.objects.create(organisation=acme, bot=bot, user=alice.user, title="Leave <b>rules</b>")
    html = alice.client.get("/").content.decode()
    assert f'href="/c/{own.id}"' in html
    assert "Leave &lt;b&gt;rules&lt;/b&gt;" in html
    assert str(own.id) not in bob.client.get("/").content.decode()
    shown = alice.client.get(f"/c/{own.id}")
    assert page_data(shown.content.decode(), "ask-page")["conversation"] == str(own.id)
    for stranger in (bob, charlie):
        assert stranger.client.get(f"/c/{own.id}").status_code == 404


def test_a_bot_of_another_organisation_is_not_shown(alice: Person, charlie: Person, other: Organisation) -> None:
    bot_create(organisation=other, slug="secret-bot", name="Secret bot")
    assert charlie.client.get("/?bot=secret-bot").status_code == 200
    assert alice.client.get("/?bot=secret-bot").status_code == 404
    assert "Secret bot" not in alice.client.get("/").content.decode()


def test_pages_carry_no_inline_script_or_style_and_a_strict_policy(alice: Person, acme: Organisation) -> None:
    bot_create(organisation=acme, slug="default", name="Reference desk")
    for path in ("/", "/documents", "/account", "/nothing-here"):
        answer = alice.client.get(path)
        html = answer.content.decode()
        assert "script-src 'self';" in answer["Content-Security-Policy"]
        assert re.findall(r"<script(?![^>]*(?:src=|application/json))", html) == []
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=", html) == []


def test_text_of_people_cannot_leave_the_data_of_a_page(alice: Person, acme: Organisation) -> None:
    evil = "</script><script>alert(1)</script>"
    bot_create(organisation=acme, slug="default", name=evil, settings={"greeting": evil})
    html = alice.client.get("/").content.decode()
    assert "<script>alert" not in html
    assert page_data(html, "ask-page")["bot"]["greeting"] == evil


def sign_in(client: Client, password: str, **more: str) -> Any:
    return client.post("/accounts/sign-in", {"email": "alice@example.org", "password": password, **more})


def test_signing_in_leads_to_the_page_that_was_asked_for(alice: Person) -> None:
    answer = sign_in(Client(), PASSWORD, next="/documents?state=failed")
    assert answer["Location"] == "/documents?state=failed"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_signing_in_never_leads_away(alice: Person, target: str) -> None:
    assert sign_in(Client(), PASSWORD, next=target)["Location"] == "/"


def test_a_wrong_password_is_said_plainly_and_the_address_is_kept(alice: Person) -> None:
    answer = sign_in(Client(REMOTE_ADDR="10.0.0.1"), "wrong")
    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong." in answer.content.decode()
    assert 'value="alice@example.org"' in answer.content.decode()


def test_after_five_wrong_passwords_the_page_says_how_long_to_wait(alice: Person) -> None:
    client = Client(REMOTE_ADDR="10.0.0.2")
    for _ in range(5):
        sign_in(client, "wrong")
    answer = sign_in(client, PASSWORD)
    assert answer.status_code == 429
    assert "Wait 15 minutes" in answer.content.decode()


def test_signing_out_takes_a_post_and_ends_the_session(alice: Person) -> None:
    assert alice.client.get("/accounts/sign-out").status_code == 405
    alice.client.post("/accounts/sign-out")
    assert alice.client.get("/account").status_code == 302


def test_an_invitation_makes_a_member_once(alice: Person) -> None:
    made = alice.client.post("/account", {"do": "invite", "email": "dora@example.org", "role": "editor"})
    link = re.search(r'id="link" value="([^"]+)"', made.content.decode())
    assert link
    path = "/" + link[1].split("/", 3)[3]
    visitor = Client()
    assert "Join Acme" in visitor.get(path).content.decode()
    short = visitor.post(path, {"name": "Dora", "password": "short"})
    assert short.status_code == 422
    assert "10 characters" in short.content.decode()
    assert visitor.post(path, {"name": "Dora", "password": "a rather long one"})["Location"] == "/"
    assert "dora@example.org" in visitor.get("/account").content.decode()
    again = Client().get(path)
    assert again.status_code == 410
    assert "used, expired or withdrawn" in again.content.decode()


def test_a_viewer_can_neither_invite_nor_see_the_members(alice: Person, bob: Person) -> None:
    assert "alice@example.org" not in bob.client.get("/account").content.decode()
    answer = bob.client.post("/account", {"do": "invite", "email": "eve@example.org", "role": "owner"})
    assert answer.status_code == 403
    assert "accounts/invitations" not in answer.content.decode()


def test_an_invitation_can_be_withdrawn_but_not_by_a_stranger(alice: Person, charlie: Person) -> None:
    alice.client.post("/account", {"do": "invite", "email": "dora@example.org", "role": "viewer"})
    row = alice.organisation.invitations.get()
    asked = {"do": "withdraw", "invitation": str(row.id)}
    assert charlie.client.post("/account", asked).status_code == 404
    assert alice.organisation.invitations.count() == 1
    assert alice.client.post("/account", asked).status_code == 200
    assert alice.organisation.invitations.count() == 0


def test_changing_the_password_asks_for_the_old_one(alice: Person) -> None:
    form = {"do": "password", "current": "wrong", "new": "another long password"}
    assert alice.client.post("/account", form).status_code == 401
    changed = alice.client.post("/account", {**form, "current": PASSWORD})
    assert "Your password is changed" in changed.content.decode()
    assert sign_in(Client(), "another long password").status_code == 302
