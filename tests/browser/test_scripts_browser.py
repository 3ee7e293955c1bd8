"""Text that people store runs nowhere as a script: every page over an organisation of attacks, in real Chromium.

Tabs take turns, so that what a page does late (a picture that fails, Alpine's x-init) is heard while others load.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db.models import Model
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from app.accounts.choices import Role
from app.accounts.models import Organisation, User
from app.accounts.password_reset import reset_link
from app.accounts.services import invitation_create
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.models import Conversation
from app.chat.tests.test_portal_browser import address, signed_in
from app.library.models import Document
from app.plans.models import UsageTotal
from tests.admin_routes import admin_routes
from tests.chromium import browser, needs_browser
from tests.hostile import ATTACKS, QUOTE, hostile_make
from tests.page_frame import HIDDEN_FAULTS
from tests.people import Person

__all__ = ["address", "browser"]  # fixtures
pytestmark = needs_browser

TABS = 6
# Out of an attribute and out of a field: each form of the admin is opened with these in it.
FORMS = (QUOTE, ATTACKS[3])
# Addresses that answer with a file, JSON or a redirect, or would end the session; and Django's own history,
# which is empty.
NO_PAGE = (
    "content/",
    "file/",
    "autocomplete/",
    "jsi18n/",
    "r/<",
    "logout/",
    "login/",
    "password_change/",
    "(?P<url>",
    "<path:object_id>/",
)
# Admin pages without `--all`: every list, and the form of a row of each table.
SAMPLED = ("?all=", "/change/", "?s=ran")
LISTEN = """
document.addEventListener('securitypolicyviolation', event =>
  blocked(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`))
"""


class Ears:
    """Records what a stored script could do on any page of a browser's context."""

    def __init__(self, context: BrowserContext, own: str) -> None:
        self.heard: list[str] = []
        self._own = own
        context.expose_binding("ran", lambda source: self._hear(source["page"], "a script ran"))
        context.expose_binding("blocked", lambda source, what: self._hear(source["page"], f"blocked: {what}"))
        context.add_init_script(LISTEN)
        context.on("dialog", lambda dialog: (self._hear(dialog.page, "a dialog"), dialog.dismiss()))
        context.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        # `<img src=x>` asks for a page of ours that is none.
        if not request.url.startswith((self._own, "data:", "blob:")) or request.url.endswith("/x"):
            self._hear(request.frame.page, f"asked for {request.url[:80]}")

    def _hear(self, page: Page | None, what: str) -> None:
        self.heard.append(f"{page and page.url}: {what}")


@pytest.fixture
def hostile(alice: Person, acme: Organisation) -> Person:
    """The operator and owner of an organisation whose every text is an attack."""
    bot_create(organisation=acme, slug="default", name="Reference desk")
    hostile_make("acme")
    UsageTotal.objects.create(organisation=acme, month=datetime.now(UTC).date().replace(day=1), requests=1)
    return alice


def portal_pages(person: Person) -> Iterator[str]:
    organisation = person.organisation
    yield from ("/", "/documents", "/account", "/account/data", "/members", "/nothing")
    conversations = Conversation.objects.filter(organisation=organisation).order_by("pk")
    yield from (f"/c/{row.pk}{'#source' if n % 4 == 0 else ''}" for n, row in enumerate(conversations))
    # Every one stands in the lists; here by turns, for the time.
    yield from (f"/?bot={bot.slug}" for bot in Bot.objects.filter(organisation=organisation).order_by("pk")[::4])
    documents = Document.objects.filter(organisation=organisation).order_by("pk")
    yield from (f"/documents/{row.pk}" for row in documents[2::4])
    yield "/sources"
    yield from (f"/sources/{row.source_id}" for row in documents[1::4])
    inviter = User.objects.get(pk=person.user.pk)
    _, token = invitation_create(
        organisation=organisation,
        email="new@example.org",
        role=Role.VIEWER,
        invited_by=inviter,
        inviter_role=Role.OWNER,
    )
    yield f"/accounts/invitations/{token}"
    yield "/" + reset_link(user=inviter).split("/", 3)[3]


def admin_pages() -> Iterator[str]:
    """Yield every list with all its rows, every form to add, and each page of a row for rows with some attacks."""
    for route in dict.fromkeys(admin_routes()):
        if route.model is None and not route.pattern.startswith(NO_PAGE) and "app_label" not in route.pattern:
            yield f"/admin/{route.pattern}"
        if route.model is None or route.pattern.endswith(tuple(f"/{end}" for end in NO_PAGE)):
            continue
        if "<path:object_id>" not in route.pattern:
            yield f"/admin/{route.pattern}" + ("" if route.pattern.endswith("add/") else "?all=")
            continue
        attacks = FORMS if route.pattern.endswith("change/") else (QUOTE,)
        rows = list(route.model._default_manager.order_by("pk"))
        for pk in dict.fromkeys(row_with(rows, attack) for attack in attacks):
            yield f"/admin/{route.pattern.replace('<path:object_id>', pk)}"
    yield "/admin/search/?s=ran"


def row_with(rows: list[Model], attack: str) -> str:
    """Return the key of a row that holds the attack, or of any row."""
    assert rows
    return str(next((row for row in rows if any(attack in text for text in texts(vars(row)))), rows[0]).pk)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def read(context: BrowserContext, address: str, pages: list[str], ears: Ears) -> Counter[int]:
    """Open every page and return the number of responses by status."""
    statuses: Counter[int] = Counter()
    tabs = [context.new_page() for _ in range(TABS)]
    shown: dict[Page, str] = {}
    for tab, page in zip(cycle(tabs), pages, strict=False):
        if tab in shown:
            leave(tab, shown[tab], ears)
        shown[tab] = address + page
        answer = tab.goto(address + page, wait_until="domcontentloaded")
        assert answer is not None
        statuses[answer.status] += 1
    for tab in tabs:
        tab.wait_for_timeout(200)
        leave(tab, shown[tab], ears)
        tab.close()
    return statuses


def leave(tab: Page, opened: str, ears: Ears) -> None:
    if opened.endswith("#source"):
        chip = tab.locator(".answer .chip").first
        expect(chip).to_be_visible()
        chip.dispatch_event("mouseenter")
        chip.dispatch_event("click")
        expect(tab.locator("#source .source-quote")).to_be_visible()
    if urlsplit(tab.url).path != urlsplit(opened).path:
        ears.heard.append(f"{opened} led to {tab.url}")
    # Not of scripts, but no other test opens every page.
    ears.heard += [f"{opened}: {fault}" for fault in tab.evaluate(HIDDEN_FAULTS)]


def test_text_that_people_store_runs_on_no_page(
    browser: Browser, address: str, hostile: Person, all_combinations: bool
) -> None:
    context = signed_in(browser, address, hostile)
    ears = Ears(context, address)
    admin = [page for page in admin_pages() if all_combinations or page.endswith(SAMPLED)]
    statuses = read(context, address, [*portal_pages(hostile), *admin], ears)
    assert ears.heard == []
    # A row that an operator may not add or delete answers 403, which is a page of ours too.
    assert {200, 404} <= set(statuses) <= {200, 403, 404}
    assert (403 in statuses) is all_combinations
    assert statuses[200] > (120 if all_combinations else 60)
    context.close()


def fulfiller(body: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=body, content_type="text/html")


def test_the_attacks_would_be_heard(browser: Browser, address: str) -> None:
    # Otherwise the silence above would prove nothing.
    context = browser.new_context()
    ears = Ears(context, address)
    page = context.new_page()
    for attack in ATTACKS:
        page.route("**/bare", fulfiller(f'<!doctype html><p title="{attack}">{attack}</p>'))
        page.goto(f"{address}/bare", wait_until="load")
        page.wait_for_timeout(20)
    assert sum("a script ran" in heard for heard in ears.heard) > 15
    assert sum("asked for" in heard for heard in ears.heard) >= 3
    context.close()
