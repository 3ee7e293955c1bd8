"""Every page of Django admin in real Chromium, as axe sees it, light and dark, on a phone and on a desk."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser

from app.accounts.models import User
from app.chat.tests.test_portal_browser import AXE, DESK, PHONE, address, axe_serious, signed_in
from tests.admin_routes import admin_routes, row_of
from tests.chromium import browser, needs_browser
from tests.factories import tenant_make
from tests.people import Person

__all__ = ["address", "browser"]  # fixtures
pytestmark = [needs_browser, pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm ci in frontend/")]
LOOKS = list(product(("light", "dark"), (PHONE, DESK)))


def pages(person: Person) -> Iterator[str]:
    """Yield the first page, the usage, every list, every form to add, and the page of a row of each table."""
    tenant = tenant_make(person, word="lighthouse")
    yield "/admin/"
    for route in dict.fromkeys(admin_routes()):
        if route.model is None or not route.pattern.endswith(("/", "/add/", "/<path:object_id>/change/")):
            continue
        if "<path:object_id>" in route.pattern:
            if route.pattern.endswith("/change/"):
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
        if response.status == 403 and path.endswith("/add/"):
            continue  # a table whose rows nobody adds
        assert response.status == 200, (path, response.status)
        found = axe_serious(page)
        if page.locator("[role=main], main").count() != 1:
            found.append("not one main landmark")
        if found:
            faults[path] = found
    context.close()
    assert faults == {}
