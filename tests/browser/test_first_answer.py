"""The main job in a browser: start a box, sign in, upload a PDF, see it become ready, ask, check the source.

In real Chromium, with no model (answers are quoted) and with a scripted one.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.llm.tests.fake_llm import SOON_S, Script, ScriptedModel
from tests.box.real_box import WholeBox
from tests.chromium import browser, needs_browser, sign_in
from tests.waiting import wait_until

__all__ = ["browser"]  # a fixture
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "app" / "operations" / "samples"
QUESTION = "What should I do when the machine shows E-21?"
E_21 = 0.7498, 0.763  # where its row stands on page 4 of the manual, as fractions of the page's height

pytestmark = needs_browser


def upload(page: Page, box: WholeBox, name: str) -> None:
    """Upload a sample and wait until the page shows it as ready, without a reload."""
    page.goto(f"{box.address}/documents")
    page.locator("input[type=file]").first.set_input_files(SAMPLES / name)
    row = page.locator("#document-rows tr", has_text=name)
    expect(row).to_contain_text("Ready", timeout=60_000)


def ask(page: Page, box: WholeBox, question: str) -> None:
    page.goto(box.address)
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".answer .mode")).to_be_visible(timeout=30_000)


def check_passage_shown(page: Page, words: str) -> None:
    """Assert that the citation opens the page of the PDF with the row of E-21 marked, and shows its picture."""
    page.locator(".answer .chip").first.click()
    panel = page.locator("#source")
    expect(panel).to_contain_text("product-manual.pdf")
    picture = panel.locator("img")
    expect(picture).to_be_visible()
    page.wait_for_function("() => document.querySelector('#source img')?.naturalWidth > 500")
    expect(panel.locator(".page-mark")).to_have_count(1)
    sheet, mark = panel.locator(".page-sheet").bounding_box(), panel.locator(".page-mark").bounding_box()
    rule, body = panel.locator(".page-rule").bounding_box(), panel.locator(".source-body").bounding_box()
    assert sheet is not None
    assert mark is not None
    assert rule is not None
    assert body is not None
    assert (mark["y"] - sheet["y"]) / sheet["height"] == pytest.approx(E_21[0], abs=0.006)
    assert (mark["y"] + mark["height"] - sheet["y"]) / sheet["height"] == pytest.approx(E_21[1], abs=0.006)
    assert mark["width"] > sheet["width"] / 2
    # The passage goes on around the row, and the row is in sight.
    assert rule["y"] < mark["y"] - mark["height"]
    assert rule["y"] + rule["height"] > mark["y"] + 3 * mark["height"]
    assert body["y"] <= mark["y"] <= body["y"] + body["height"] - mark["height"]
    assert words in page.locator(".answer").inner_text()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("answers") / "data")
    try:
        box.start()
        assert box.password
        yield box
    finally:
        box.stop()


# Drops one file on the page, as a hand does.
DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  for (const type of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));
}"""


def test_from_the_readme_to_the_first_own_cited_answer_in_six_steps(browser: Browser, box: WholeBox) -> None:
    """Six commands and clicks: the README's block of commands, signing in, dropping a file, asking, the citation."""
    start = (ROOT / "README.md").read_text("utf-8").split("## Start", 1)[1]
    block = re.search(r"```sh\n(.*?)```", start, re.DOTALL)
    assert block is not None
    steps = block[1].splitlines()
    # The fixture's box stands for the second one.
    assert [line.split()[0] for line in steps] == ["git", "scripts/start"]
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    sign_in(page, box)
    steps.append("sign in")
    page.evaluate(DROP, ["printers.txt", "The badge printer on floor 3 takes cartridge K-88."])
    steps.append("drop a file")
    ready = "SELECT state FROM library_document WHERE name = 'printers.txt'"
    wait_until(lambda: box.sql(ready) == [("ready",)], what="the file is read")
    page.get_by_role("textbox", name="Your question").fill("Which cartridge does the badge printer take?")
    page.keyboard.press("Enter")
    steps.append("ask")
    expect(page.locator(".answer")).to_contain_text("K-88")
    page.locator(".answer .chip").first.click()
    steps.append("open the citation")
    expect(page.locator("#source mark, #source .mark").first).to_contain_text("K-88")
    assert len(steps) <= 6


def test_upload_ask_and_check_the_source_without_a_model(browser: Browser, box: WholeBox) -> None:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    sign_in(page, box)
    upload(page, box, "product-manual.pdf")
    ask(page, box, QUESTION)
    expect(page.locator(".answer .mode")).to_have_text("Quoted from your documents, no model used")
    check_passage_shown(page, "Pull the plug and call service at once")
    ask(page, box, "Who won the football world cup in 1998?")
    expect(page.locator(".answer")).to_contain_text("could not find this in the documents")
    expect(page.locator(".answer .chip")).to_have_count(0)
    assert trouble == []


def test_ask_and_check_the_source_with_a_model(browser: Browser, box: WholeBox) -> None:
    tokens = ["Pull", " the", " plug", " and", " call", " service", " at", " once", " [", "1", "]", ".", " [9", "]"]
    with ScriptedModel() as model:
        box.stop()
        box.start(REFDESK_LLM_URL=model.url)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        sign_in(page, box)
        upload(page, box, "price-list.csv")
        model.script(Script(tokens=tokens, between_s=0.05))
        ask(page, box, QUESTION)
        expect(page.locator(".answer .mode")).to_contain_text("scripted")
        expect(page.locator(".answer .chip")).to_have_count(1)
        check_passage_shown(page, "Pull the plug and call service at once")
        assert "[9]" not in page.locator(".answer").inner_text()
        page.reload()
        expect(page.locator(".answer .chip")).to_have_count(1)
        stop_frees_the_model(page, box, model)


def stop_frees_the_model(page: Page, box: WholeBox, model: ScriptedModel) -> None:
    """Assert I6: no model request outlives its reader by more than a second, by Stop or by leaving the page."""
    model.script(Script(fault="endless", between_s=0.02))
    for leave in (lambda: page.get_by_role("button", name="Stop").click(), page.close):
        model.call("DELETE", "/requests")
        page.goto(box.address)
        page.get_by_role("textbox", name="Your question").fill(QUESTION)
        page.keyboard.press("Enter")
        expect(page.locator(".answer .prose")).to_contain_text("word3", timeout=20_000)
        left = time.time()
        leave()
        wait_until(
            lambda: [request for request in model.requests()[:1] if request.get("left")], what="the model is left"
        )
        assert time.time() - left < SOON_S
