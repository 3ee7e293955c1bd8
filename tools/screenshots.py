"""Pictures of every page of a box with the sample library, to be looked at: `scripts/screenshots [FOLDER]`.

Each page at 390, 820 and 1,440 px, light and dark, and the two that are kept (docs/images/): the README's of the
portal, and the dashboard's, over a month of made-up use (tests/busy_month.py).
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.box.real_box import WholeBox
from tests.chromium import ARGUMENTS, CHROMIUM, sign_in

WIDTHS = {390: 844, 820: 1180, 1440: 900}
QUESTIONS = ["What is the hotel limit for a night in London?", "What should I do when the machine shows E-21?"]
CONFIRMATIONS = {"admin-apikey": "rotate/", "admin-bot": "pause/", "admin-document": "retry_this/"}
IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
README_PICTURE, DASHBOARD_PICTURE = IMAGES / "portal.png", IMAGES / "dashboard.jpg"


def ask(page: Page, question: str) -> None:
    answers = page.locator(".answer .mode").count()
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".answer .mode")).to_have_count(answers + 1, timeout=30_000)


def open_source(page: Page) -> None:
    # Chosen by name: the passages that an answer cites may change, and only a PDF has pictures of its pages.
    page.locator(".answer .source", has_text="product-manual.pdf").last.click()
    page.wait_for_function("() => document.querySelector('#source img')?.naturalWidth > 500")
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)


def conversation_make(page: Page, box: WholeBox) -> str:
    page.goto(box.address)
    for question in QUESTIONS:
        ask(page, question)
    return page.url


def views(page: Page, box: WholeBox, conversation: str) -> Iterator[str]:
    """Bring the page into each state and yield its name."""
    page.goto(box.address)
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    yield "home"
    page.goto(conversation)
    expect(page.locator(".answer .mode")).to_have_count(len(QUESTIONS))
    yield "conversation"
    open_source(page)
    yield "source"
    for name in ("documents", "sources", "account", "members"):
        page.goto(f"{box.address}/{name}")
        yield name
    page.goto(f"{box.address}/documents")
    page.goto(page.locator("#document-rows a", has_text="product-manual.pdf").get_attribute("href") or "")
    yield "document"
    for name, path in admin_pages(page, box):
        page.goto(f"{box.address}{path}")
        page.wait_for_timeout(300)  # plots are drawn after the page
        yield name


def admin_pages(page: Page, box: WholeBox) -> Iterator[tuple[str, str]]:
    """Yield every list of the admin, the first row of each, and forms to add and to confirm."""
    page.goto(f"{box.address}/admin/")
    lists = page.locator("#nav-sidebar a[href^='/admin/']").evaluate_all("links => links.map(a => a.pathname)")
    yield "admin", "/admin/"
    yield "admin-quarter", "/admin/?days=90"
    for path in [*dict.fromkeys(lists), "/admin/bots/botrevision/", "/admin/chat/message/"]:
        if path.count("/") != 4:
            continue
        name = f"admin-{path.split('/')[3]}"
        yield name, path
        row = page.locator(f"a[href^='{path}'][href*='/change/']").first
        if row.count():
            one = str(row.get_attribute("href")).split("?")[0]
            yield f"{name}-one", one
            if name in CONFIRMATIONS:
                yield f"{name}-confirm", one.replace("change/", CONFIRMATIONS[name])
    yield "admin-key-add", "/admin/accounts/apikey/add/"
    yield "admin-empty", "/admin/library/document/?q=no-such-document"


def pictures_take(browser: Browser, box: WholeBox, folder: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=box.address)
    page = context.new_page()
    sign_in(page, box)
    conversation = conversation_make(page, box)
    page.goto(conversation)
    open_source(page)
    README_PICTURE.parent.mkdir(exist_ok=True)
    page.screenshot(path=README_PICTURE)
    box.manage("shell", "-c", "from tests.busy_month import busy_month_make; busy_month_make()")
    dashboard_keep(page, box)
    state = context.storage_state()
    for width, height in WIDTHS.items():
        for scheme in ("light", "dark"):
            page = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                storage_state=state,
                base_url=box.address,
            ).new_page()
            for name in views(page, box, conversation):
                page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")
            page.context.close()


def dashboard_keep(page: Page, box: WholeBox) -> None:
    """Take the picture of docs/administration.md: JPEG, because it is a third of the size."""
    page.goto(f"{box.address}/admin/?organisation=default")
    page.wait_for_function("() => window.Chart?.getChart(document.querySelector('.desk-canvas canvas'))")
    page.wait_for_timeout(1_500)  # it grows
    page.screenshot(path=DASHBOARD_PICTURE, type="jpeg", quality=70)
    page.goto(f"{box.address}/admin/?organisation=")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/screenshots")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"))
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        box = WholeBox(Path(data) / "data", REFDESK_SAMPLES="1")
        try:
            box.start()
            box.await_ready_documents()
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            pictures_take(browser, box, folder)
            browser.close()
        finally:
            box.stop()
    print(f"Pictures in {folder}, and {IMAGES}")


if __name__ == "__main__":
    main()
