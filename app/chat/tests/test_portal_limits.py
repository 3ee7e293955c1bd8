"""Limits and caps as the portal shows them, in real Chromium."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.chat.tests.test_portal_browser import PHONE, address, signed_in
from app.plans import caps
from app.plans import rate_limits as limits
from app.plans.models import Plan, UsageTotal
from tests.chromium import browser, needs_browser
from tests.people import Person

__all__ = ["address", "browser"]  # fixtures
pytestmark = needs_browser


def test_a_month_that_is_used_up_is_said_where_the_question_was_asked(
    browser: Browser,
    address: str,
    alice: Person,
    acme: Organisation,
    desk_bot: Bot,
    qdrant: str,
    embedder: str,
    tmp_path: Path,
) -> None:
    plan = Plan.objects.create(name="small", title="Small", requests_per_month=1000)
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    month = datetime.now(UTC).date().replace(day=1)
    UsageTotal.objects.create(organisation=acme, month=month, requests=1000)
    caps._refused.clear()
    page = signed_in(browser, address, alice, viewport=PHONE).new_page()
    page.goto(address)
    notice = page.locator(".notice", has_text="Your organisation has used all of its month's quota (plan Small).")
    expect(notice).to_be_visible()
    box = page.get_by_role("textbox", name="Your question")
    box.fill("How long is the warranty?")
    box.press("Enter")
    said = page.get_by_text("Your organisation has used the 1,000 questions and searches a month of the plan Small.")
    expect(said).to_be_visible()
    expect(said).to_contain_text("The next month begins on 1 ")
    expect(said).to_contain_text("ask the operator of this Refdesk for a larger plan")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=tmp_path / "used-up.png")
    page.context.close()


def test_too_many_requests_say_how_long_to_wait(
    browser: Browser,
    address: str,
    alice: Person,
    acme: Organisation,
    desk_bot: Bot,
) -> None:
    page = signed_in(browser, address, alice).new_page()
    page.goto(address)
    plan = Plan.objects.create(name="small", title="Small", requests_per_minute=1)
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    limits._cache.clear()
    alice.client.get("/api/v1/me")
    box = page.get_by_role("textbox", name="Your question")
    box.fill("How long is the warranty?")
    box.press("Enter")
    said = page.get_by_text("Your organisation's plan allows 1 requests a minute.")
    expect(said).to_be_visible()
    expect(said).to_contain_text("Try again in ")
    page.context.close()


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    limits._cache.clear()
    caps._refused.clear()
