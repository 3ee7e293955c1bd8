"""The real browser of the tests: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.box.real_box import EMAIL, WholeBox

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Chromium's own calls home fail slowly on a closed network.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# Five seconds otherwise, which a busy machine takes to open a page.
expect.set_options(timeout=30_000)

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt install chromium")


# Not of the session: while Playwright's own loop runs in this thread, no asynchronous test can. A start takes 0.5 s.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def sign_in(page: Page, box: WholeBox) -> None:
    page.goto(box.address)
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(box.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
