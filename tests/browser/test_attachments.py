"""A mail and a recording's subtitles in a browser: upload, find the attachment, open what is cited."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.library.tests.mails import mail
from tests.box.real_box import WholeBox
from tests.chromium import browser, needs_browser, sign_in

__all__ = ["browser"]  # a fixture
pytestmark = needs_browser

PRICES = "Berth,Price\nPier C,417 crowns a month\nPier D,389 crowns a month\n"
OFFER = mail(
    "Offer for the berth at the pier", "Dear Bo,\n\nthe prices are attached.\n\nAda", ("prices.csv", PRICES.encode())
)
SUBTITLES = """WEBVTT

01:05.200 --> 01:08.000
<v Ada Lund>The harbour meeting begins.</v>

01:01:12.000 --> 01:01:16.000
<v Bo Vik>The crane on the east quay lifts
forty-four tonnes since the repair.</v>
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("attachments") / "data")
    try:
        box.start()
        yield box
    finally:
        box.stop()


def upload(page: Page, box: WholeBox, name: str, data: bytes) -> None:
    page.goto(f"{box.address}/documents")
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "", "buffer": data})
    expect(page.locator("#document-rows tr[data-state=ready]", has_text=name).first).to_be_visible(timeout=60_000)


def ask(page: Page, box: WholeBox, question: str) -> None:
    page.goto(box.address)
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".answer .mode")).to_be_visible(timeout=30_000)
    page.locator(".answer .chip").first.click()


def picture(page: Page, name: str) -> None:
    """Keep a picture for whoever looks at the pages, where a folder for them is given."""
    if os.environ.get("REFDESK_TEST_PICTURES"):
        page.screenshot(path=Path(os.environ["REFDESK_TEST_PICTURES"]) / f"{name}.png")


@pytest.mark.parametrize("width", [1280, 390])
def test_an_attachment_is_found_with_its_mail_and_subtitles_open_at_their_second(
    box: WholeBox, browser: Browser, width: int
) -> None:
    page = browser.new_context(viewport={"width": width, "height": 844}).new_page()
    sign_in(page, box)
    upload(page, box, f"offer {width}.eml", OFFER.as_bytes())
    row = page.locator("#document-rows tr", has_text="prices.csv").first
    expect(row).to_contain_text("in offer", timeout=60_000)
    picture(page, f"documents-{width}")
    row.get_by_role("link", name=f"in offer {width}.eml").click()
    files = page.locator(".members")
    expect(files).to_contain_text("prices.csv")
    picture(page, f"mail-{width}")
    files.get_by_role("link", name="prices.csv").click()
    expect(page.locator(".facts")).to_contain_text(f"offer {width}.eml")
    upload(page, box, "meeting.vtt", SUBTITLES.encode())
    ask(page, box, "How many tonnes does the crane on the east quay lift?")
    panel = page.locator("#source")
    expect(panel.locator(".source-title")).to_contain_text("1:05")
    mark = panel.locator("mark")
    expect(mark).to_be_in_viewport()
    expect(mark).to_contain_text("forty-four tonnes")
    expect(panel.locator(".spoken", has=page.locator("mark")).locator(".second")).to_have_text("1:01:12")
    picture(page, f"subtitles-{width}")
    ask(page, box, "What does a berth at Pier D cost a month?")
    expect(panel.locator("h2")).to_contain_text("prices.csv (in offer")
    picture(page, f"attachment-{width}")
    page.context.close()
