"""Every page of Django admin in real Chromium, as axe sees it, light and dark, on a phone and on a desk."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from app.accounts.models import ApiKey, User
from app.chat.models import Message
from app.chat.tests.test_portal_browser import AXE, DESK, PHONE, address, axe_serious, signed_in
from app.privacy.erasure.receipts import receipt_make
from app.privacy.models import Erasure
from tests.admin_routes import address as address_of
from tests.admin_routes import admin_routes, row_of
from tests.chromium import browser, needs_browser
from tests.factories import tenant_make
from tests.people import Person

__all__ = ["address", "browser"]  # fixtures
pytestmark = [needs_browser, pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm ci in frontend/")]
# A file, a redirect to the row's page, and Django's own history, which is empty here.
NO_PAGE = ("/content/", "<path:object_id>/", "/history/")
COUNTS = {"postgresql": {"messages": 3, "memberships": 0}, "valkey": {"keys": 1}}
# How many of the lines of a plot can be told apart in its legend, by colour and shape.
LEGEND = """new Set(Chart.getChart(document.querySelector("[data-chart=latency]")).legend.legendItems
  .map(item => `${item.strokeStyle} ${item.pointStyle}`)).size"""
LOOKS = list(product(("light", "dark"), (PHONE, DESK)))


def pages(person: Person) -> Iterator[str]:
    """Yield the first page, the usage, every list, every form, and every other page of a row of each table."""
    tenant = tenant_make(person, word="lighthouse")
    erasure = row_of(tenant, Erasure)
    receipt = receipt_make(erasure, before=COUNTS, after=COUNTS, finished=timezone.now())  # type: ignore[arg-type]
    Erasure.objects.filter(pk=erasure.pk).update(receipt=receipt, finished=timezone.now())
    Message.objects.filter(pk=tenant.answer.pk).update(timings={"first_token_s": 0.4, "total_s": 2.5})
    yield "/admin/"
    yield "/admin/privacy/erasure/add/?of=organisation"
    yield f"/admin/privacy/erasure/{erasure.pk}/receipt/"
    for route in dict.fromkeys(admin_routes()):
        if route.model is None or not route.pattern.endswith("/"):
            continue
        if "<path:object_id>" in route.pattern:
            if not route.pattern.endswith(NO_PAGE):
                yield f"/admin/{route.pattern.replace('<path:object_id>', str(row_of(tenant, route.model).pk))}"
        elif route.pattern.count("/") == 2 or route.pattern.endswith("/add/"):
            yield f"/admin/{route.pattern}"


@pytest.mark.parametrize("look", range(len(LOOKS)), ids=["light-phone", "light-desk", "dark-phone", "dark-desk"])
def test_axe_finds_nothing_serious_in_the_admin(
    browser: Browser, address: str, alice: Person, look: int, all_combinations: bool
) -> None:
    User.objects.filter(pk=alice.user.pk).update(is_operator=True)
    scheme, viewport = LOOKS[look]
    listed = list(pages(alice))
    # Each page in one look on every run, in all four with --all.
    listed = listed if all_combinations else listed[look :: len(LOOKS)]
    context = signed_in(browser, address, alice, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    faults: dict[str, Any] = {}
    for path in listed:
        response = page.goto(address + path)
        assert response is not None
        if response.status == 403 and path.endswith(("/add/", "/delete/")):
            continue  # a table whose rows nobody adds or deletes
        assert response.status == 200, (path, response.status)
        found = axe_serious(page)
        if page.locator("[role=main], main").count() != 1:
            found.append("not one main landmark")
        if path == "/admin/":
            assert page.evaluate(LEGEND) == 4
        if found:
            faults[path] = found
    faults |= secret_faults(page, f"{address}{address_of(ApiKey, 'add')}")
    context.close()
    assert faults == {}


def secret_faults(page: Page, form: str) -> dict[str, Any]:
    """Make a key and copy it, as over plain HTTP: without a clipboard the text is selected."""
    page.goto(form)
    page.get_by_label("Name").fill("Website")
    page.get_by_label("Ask bots").check()
    page.get_by_role("button", name="Make the key").click()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Press Ctrl+C to copy")).to_be_visible()
    assert page.evaluate("getSelection().toString().trim()") == page.locator("#secret").inner_text().strip()
    found = axe_serious(page)
    return {"the secret": found} if found else {}
