"""A recording in a browser: uploaded, written down, cited, and played from the second of the citation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.library.tests.sounds import SPEAKERS, webm_write
from tests.box.real_box import WholeBox
from tests.chromium import browser, needs_browser, sign_in

__all__ = ["browser"]  # a fixture

pytestmark = needs_browser
PLAYER = "document.querySelector('#source video')"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("recordings") / "data", REFDESK_SPEECH_MODEL="whisper-tiny.en")
    try:
        box.start()
        yield box
    finally:
        box.stop()


def test_a_citation_of_a_video_plays_the_second_that_it_names(box: WholeBox, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    blocked: list[str] = []
    page.on("console", lambda line: blocked.append(line.text) if "Content Security Policy" in line.text else None)
    sign_in(page, box)
    page.goto(f"{box.address}/documents")
    path = tmp_path / "two-speakers.webm"
    webm_write(SPEAKERS, path)
    page.locator("input[type=file]").first.set_input_files(path)
    row = page.locator("#document-rows tr", has_text=path.name)
    expect(row).to_contain_text("Ready", timeout=90_000)

    page.goto(box.address)
    page.get_by_role("textbox", name="Your question").fill("Which day is the best part of the week?")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .mode")).to_be_visible()
    expect(page.locator(".answer .source-place").first).to_contain_text("0:00–0:")
    page.locator(".answer .chip").first.click()
    panel = page.locator("#source")
    expect(panel.locator("mark")).to_have_text("Sunday is the best part of the week.")
    # The quoted sentence is said 14 seconds after the passage begins.
    page.wait_for_function(f"() => Math.abs({PLAYER}.currentTime - 14.1) < 1")

    panel.locator(".sentence", has_text="What joy").click()
    page.wait_for_function(f"() => !{PLAYER}.paused && {PLAYER}.currentTime > 20.5")
    expect(panel.locator(".sentence.said")).to_have_text("What joy there is in living.")
    page.wait_for_function("() => [...(CSS.highlights.get('spoken') ?? [])].map(String).join() === 'joy'")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(panel.locator("video")).to_be_in_viewport()
    expect(panel.locator(".sentence.said")).to_be_in_viewport()
    panel.locator(".sentence[tabindex='0']").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => {PLAYER}.currentTime < 5")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert blocked == []
