"""Every page of the portal in real Chromium: what axe says of it, and whether it keeps its frame."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.test.signals import template_rendered
from playwright.sync_api import Browser, Page, Route, expect

from app.accounts.choices import Role
from app.accounts.first_admin import first_admin_link
from app.accounts.models import Identity, Organisation
from app.accounts.password_reset import reset_link
from app.accounts.services import invitation_create, membership_create
from app.chat.models import Conversation
from app.chat.tests.test_portal_browser import (
    AXE,
    DESK,
    PHONE,
    address,
    axe_findings,
    library,
    signed_in,
)
from app.errors import RefdeskError
from app.library.models import Chunk, Document, Run, RunItem, Source
from app.library.services.sources import source_create
from app.privacy.exports.services import account_export_create
from tests.chromium import browser, needs_browser
from tests.page_frame import page_faults
from tests.people import PASSWORD, Person

__all__ = ["address", "browser", "library"]  # fixtures
APP = Path(__file__).resolve().parents[2]
# Pages outside the frame that no request of this test leads to, with what they show.
SELDOM: dict[str, dict[str, Any]] = {
    "403.html": {},
    "403_csrf.html": {},
    "500.html": {},
    "error.html": {"heading": "Too many requests.", "words": "Wait a minute.", "request_id": "01a220b4"},
    "portal/leaving.html": {"address": "https://login.example.org/", "provider": "login.example.org"},
    "portal/sign_in_refused.html": {"error": RefdeskError("sign_in_refused"), "request_id": "01a220b4"},
    "portal/suspended.html": {},
    "privacy/account_erased.html": {"erasure": {"id": "01a220b4"}},
    "privacy/receipt.html": {
        "kind": "A person",
        "counts": [("postgresql", "conversations", 12, 0), ("files", "exports", 1, 0)],
        "receipt": {
            "subject": "01a220b4-8d1f-7c61-9b1e-0f6a2f0c5d11",
            "organisation": "01a220b4-8d1f-7c61-9b1e-0f6a2f0c5d12",
            "asked": "2026-11-28T06:00:00.000Z",
            "finished": "2026-11-28T06:01:00.000Z",
            "asked_by": {"kind": "person", "id": "01a220b4-8d1f-7c61-9b1e-0f6a2f0c5d13"},
            "person_fingerprint": "0" * 64,
            "kept": ["Entries of the audit trail stay."],
            "later": ["Backups hold what they held."],
            "signature": "1" * 64,
        },
    },
}

pytestmark = [needs_browser, pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm ci in frontend/")]
looks = pytest.mark.parametrize("scheme", ["light", "dark"])
windows = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])


def page_templates(frame: str) -> set[str]:
    """Return the names of the portal's pages in a frame: `shell.html` or `alone.html`."""
    files = [(folder, file) for folder in APP.glob("*/templates") for file in folder.rglob("*.html")]
    extends = f'{{% extends "{frame}" %}}'
    return {
        file.relative_to(folder).as_posix() for folder, file in files if file.read_text("utf-8").startswith(extends)
    }


@pytest.fixture
def rendered() -> Iterator[set[str]]:
    """Collect the names of the templates that the server renders."""
    names: set[str] = set()

    def note(template: Any, **more: Any) -> None:
        names.add(template.name)

    template_rendered.connect(note)
    yield names
    template_rendered.disconnect(note)


@pytest.fixture
def full(library: Conversation, alice: Person, bob: Person, other: Organisation) -> list[str]:
    """Fill every list of the pages; return the addresses of those inside the frame."""
    acme = library.organisation
    membership_create(organisation=other, user=alice.user, role=Role.OWNER)  # shows the switch
    alice.client = Client()
    alice.client.post("/accounts/sign-in", {"email": alice.user.email, "password": PASSWORD})  # is listed
    Identity.objects.create(user=alice.user, issuer="https://login.example.org", subject="alice")
    account_export_create(organisation=acme.pk, user=alice.user)
    document = Document.objects.get()
    version = document.versions.get()
    Chunk.objects.create(
        id=version.pk, organisation=acme, document=document, version=version, position=0, text="Words.",
        embed_text="Words.", tokens=2, start=0, end=6, place={"kind": "page", "page": 1},
    )  # fmt: skip
    Document.objects.update(active_version=version)
    source = source_create(organisation=acme, name="Wiki", kind="push")
    run = Run.objects.create(organisation=acme, source=source, state="done", seen=1, failed=1)
    RunItem.objects.create(organisation=acme, run=run, external_id="a/page", outcome="http_error", status=404)
    paths = ["/", f"/c/{library.id}", "/documents", "/documents?q=nothing", f"/documents/{document.pk}"]
    paths += ["/account", "/account/data", "/sources", "/sources/new", "/members"]
    return [*(f"/sources/{row.pk}" for row in Source.objects.all()), *paths]


@looks
@windows
def test_axe_finds_nothing_inside_the_frame(
    browser: Browser,
    address: str,
    alice: Person,
    charlie: Person,
    full: list[str],
    rendered: set[str],
    scheme: Any,
    viewport: Any,
) -> None:
    looks_like = {"viewport": viewport, "color_scheme": scheme, "reduced_motion": "reduce"}
    page = signed_in(browser, address, alice, **looks_like).new_page()
    for path in full:
        page.goto(address + path)
        if path == "/":
            expect(page.locator(".starter")).to_be_visible()
        if path.startswith("/c/"):
            page.locator(".chip").click()
            expect(page.locator("#source mark")).to_be_visible()
        assert_good(page, path)
    page.get_by_label("E-mail address").fill("eve@example.org")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Invitation link").input_value()
    assert_good(page, "an invitation was made")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.context.close()
    page = signed_in(browser, address, charlie, **looks_like).new_page()
    page.goto(address)
    assert_good(page, "an organisation without a bot")
    page.context.close()
    assert page_templates("shell.html") <= rendered


@looks
@windows
def test_axe_finds_nothing_outside_the_frame(
    browser: Browser, address: str, alice: Person, bob: Person, rendered: set[str], scheme: Any, viewport: Any
) -> None:
    _, token = invitation_create(
        organisation=alice.organisation, email="dora@example.org", role=Role.VIEWER, invited_by=alice.user,
        inviter_role=Role.OWNER,
    )  # fmt: skip
    links = [urlsplit(link).path for link in (reset_link(user=bob.user), first_admin_link())]
    page = browser.new_page(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    for name, context in SELDOM.items():
        page.route(f"**/seldom/{name}", answer_with(render_to_string(name, context)))
    paths = ["/accounts/sign-in", "/accounts/forgot", f"/accounts/invitations/{token}", *links, "/nothing"]
    for path in (*paths, *(f"/seldom/{name}" for name in SELDOM)):
        page.goto(address + path)
        assert_good(page, path)
    page.close()
    assert page_templates("alone.html") <= rendered


@looks
@windows
def test_axe_finds_nothing_on_the_page_of_the_api(
    browser: Browser, address: str, alice: Person, scheme: Any, viewport: Any
) -> None:
    page = signed_in(browser, address, alice, viewport=viewport, color_scheme=scheme).new_page()
    page.goto(f"{address}/api/v1/docs")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert_good(page, "the page of the API")
    page.get_by_role("link", name="Back to the portal").click()
    page.wait_for_url(f"{address}/")
    page.goto(f"{address}/api/v1/docs?try")
    expect(page.locator(".opblock").first).to_be_visible()
    page.get_by_role("link", name="Back to the page of the API").click()
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
    page.context.close()


def answer_with(html: str) -> Callable[[Route], None]:
    """Return a handler that gives a page, without a redirect that would lead away from it."""
    html = html.replace('http-equiv="refresh"', "")
    return lambda route: route.fulfill(body=html, content_type="text/html")


def assert_good(page: Page, where: str) -> None:
    assert (axe_findings(page), page_faults(page)) == ([], []), where
