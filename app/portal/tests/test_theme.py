"""An organisation's choices for its portal: colour, scheme and welcome, none of them visible in another's."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from app.accounts.models import Organisation
from app.audit.models import AuditEntry
from app.bots.services import bot_create, bot_pause
from tests.people import Person

SETTINGS = {"name": "Acme", "accent": "#AA3300", "scheme": "dark", "welcome": "Ask <b>us</b>", "retention_days": "90"}
NUMBERS = {"chunk_tokens": "400", "chunk_overlap": "40"}


@pytest.fixture
def page(alice: Person) -> str:
    bot_create(organisation=alice.organisation, slug="default", name="Reference desk")
    return reverse("admin:accounts_organisation_change", args=[alice.organisation.pk])


def test_settings_are_saved_and_the_portal_follows(alice: Person, charlie: Person, page: str) -> None:
    response = alice.client.post(page, {**SETTINGS, **NUMBERS})
    assert response.status_code == 302, response.context["errors"]
    row = Organisation.objects.get(pk=alice.organisation.pk)
    assert (row.accent, row.scheme, row.welcome, row.retention_days) == ("#aa3300", "dark", "Ask <b>us</b>", 90)
    assert (row.chunk_tokens, row.chunk_overlap) == (400, 40)
    portal = alice.client.get("/").content.decode()
    assert '<link rel="stylesheet" href="/theme/aa3300.css">' in portal
    assert '<html lang="en" data-scheme="dark">' in portal
    assert "Ask <b>us</b>" not in portal
    assert json.loads(re.search(r'id="ask-page"[^>]*>(.*?)</script>', portal)[1])["bot"]["welcome"] == "Ask <b>us</b>"  # type: ignore[index]
    for path in ("/documents", "/account"):
        assert "/theme/aa3300.css" in alice.client.get(path).content.decode()
    bot_create(organisation=charlie.organisation, slug="default", name="Reference desk")
    theirs = charlie.client.get("/").content.decode()
    assert "/theme/" not in theirs
    assert "data-scheme" not in theirs
    assert AuditEntry.objects.filter(action="organisation.update", organisation=alice.organisation).exists()


def test_the_usual_colour_is_no_choice(alice: Person, page: str) -> None:
    alice.client.post(page, {**SETTINGS, **NUMBERS, "accent": "#0D6A4B", "scheme": "auto"})
    assert Organisation.objects.get(pk=alice.organisation.pk).accent == ""
    portal = alice.client.get("/").content.decode()
    assert "/theme/" not in portal
    assert '<html lang="en">' in portal


@pytest.mark.parametrize(
    "wrong",
    [
        {"accent": "red"},
        {"accent": "#12345"},
        {"accent": "#aa3300}"},
        {"scheme": "pink"},
        {"welcome": "x" * 301},
        {"retention_days": "0"},
        {"retention_days": "-3"},
        {"chunk_tokens": "10"},
        {"chunk_overlap": "390"},
    ],
)
def test_what_cannot_be_used_comes_back_with_a_message(alice: Person, page: str, wrong: dict[str, str]) -> None:
    before = Organisation.objects.values().get(pk=alice.organisation.pk)
    response = alice.client.post(page, {**SETTINGS, **NUMBERS, **wrong}, follow=True)
    assert Organisation.objects.values().get(pk=alice.organisation.pk) == before
    assert re.search(r"correct the error|at most half", response.content.decode())


def test_plan_and_slug_are_not_an_admin_s_to_change(alice: Person, page: str) -> None:
    shown = alice.client.get(page).content.decode()
    assert "Unlimited" in shown
    assert 'name="plan"' not in shown
    alice.client.post(page, {**SETTINGS, **NUMBERS, "plan": "free", "slug": "taken", "suspended": "2026-01-01"})
    row = Organisation.objects.get(pk=alice.organisation.pk)
    assert (row.plan_id, row.slug, row.suspended) == ("unlimited", "acme", None)


@pytest.mark.parametrize("colour", ["AA3300", "aa330", "aa33000", "red", "aa33;}", "%0aaa330"])
def test_the_stylesheet_takes_nothing_but_a_colour(db: Any, colour: str) -> None:
    assert Client().get(f"/theme/{colour}.css").status_code == 404


def test_the_stylesheet_may_be_kept(db: Any) -> None:
    response = Client().get("/theme/aa3300.css")
    assert response["Content-Type"] == "text/css; charset=utf-8"
    assert "max-age" in response["Cache-Control"]
    assert "--lamp:light-dark(#aa3300," in response.content.decode()


def test_a_paused_bot_is_not_the_first_one_shown(alice: Person, acme: Organisation) -> None:
    paused = bot_create(organisation=acme, slug="default", name="Paused desk")
    bot_create(organisation=acme, slug="other", name="Open desk")
    bot_pause(organisation=acme.pk, bot=paused.pk)
    assert "Open desk" in re.findall(r'"name": "([^"]*)"', alice.client.get("/").content.decode())
    asked_for = alice.client.get("/?bot=default").content.decode()
    assert '"paused": true' in asked_for
