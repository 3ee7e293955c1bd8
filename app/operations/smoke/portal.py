"""The portal in real Chromium, as a person uses it."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page, Playwright, expect

from app.operations.smoke.names import person_email, person_name
from app.operations.smoke.paper import Paper
from app.operations.smoke.steps import Failed

ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 30_000
READ_S = 180.0
# Long enough for a model on a slow processor.
ANSWER_MS = 300_000
WHO = """() => fetch('/api/v1/me').then(answer => answer.json())"""
CALL = """async ([method, path]) => {
    const field = document.querySelector('input[name=csrfmiddlewaretoken]');
    const answer = await fetch(path, {method, headers: {'X-CSRFToken': field ? field.value : ''}});
    return [answer.status, await answer.text()];
}"""


@contextmanager
def chromium(playwright: Playwright, *, root: bool) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise Failed("there is no Chromium", "apt install chromium, or another machine that reaches the address.")
    # Chromium's sandbox does not run as root.
    arguments = [*ARGUMENTS, "--no-sandbox"] if root else ARGUMENTS
    browser = playwright.chromium.launch(executable_path=program, args=arguments)
    try:
        yield browser
    finally:
        # Ctrl-C in a terminal ends the browser too.
        with suppress(Error):
            browser.close()


class Portal:
    """The browser of one person, signed in or not. `address` is the address of Refdesk."""

    def __init__(self, browser: Browser, address: str, *, insecure: bool) -> None:
        self.address = address
        self._context = browser.new_context(
            ignore_https_errors=insecure, accept_downloads=True, viewport={"width": 1440, "height": 900}
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self._context.new_page()

    def close(self) -> None:
        self._context.close()

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path)

    def sign_in(self, word: str, password: str) -> None:
        page = self.page
        page.goto(self.address)
        page.get_by_role("link", name="Sign in with").click()
        page.locator("#username").fill(person_name(word))
        page.locator("#password").fill(password)
        page.locator("#kc-login").click()
        expect(page.get_by_role("textbox", name="Your question")).to_be_visible(timeout=PATIENCE_MS)
        email = page.evaluate(WHO)["user"]["email"]
        if email != person_email(word):
            raise Failed(f"somebody else is signed in: {email}")

    def upload(self, paper: Paper, folder: Path) -> str:
        """Upload with the page's button; return the document's id once the page shows that it is ready."""
        file = folder / paper.name
        file.write_bytes(paper.content)
        page = self.page
        page.goto(f"{self.address}/documents")
        page.locator(".page-head input[type=file]").set_input_files(file)
        row = page.locator("#document-rows tr", has_text=paper.name)
        expect(row).to_be_visible(timeout=PATIENCE_MS)
        document = str(row.get_attribute("data-id"))
        deadline = time.monotonic() + READ_S
        while not row.locator(".state.ready").count():
            state = row.locator("[data-cell=state]").inner_text()
            if row.locator(".state.failed").count():
                raise Failed(f"the document could not be read: {state}", "scripts/logs worker")
            if time.monotonic() > deadline:
                raise Failed(
                    f"the document is not ready after {READ_S:.0f} s: {state}",
                    "scripts/logs worker, scripts/logs embeddings",
                )
            page.wait_for_timeout(200)
        return document

    def ask(self, paper: Paper) -> str:
        """Ask a question; return the address of the conversation once the answer is whole."""
        page = self.page
        page.goto(self.address)
        page.get_by_role("textbox", name="Your question").fill(paper.question)
        page.keyboard.press("Enter")
        expect(page.locator(".answer .mode")).to_be_visible(timeout=ANSWER_MS)
        page.wait_for_url("**/c/*")
        return page.url

    def citation(self, paper: Paper, document: str) -> dict[str, Any]:
        """Open the source as a reader does; return what a reader can check: document, words, place."""
        page = self.page
        source = page.locator(".answer .source", has_text=paper.name).first
        if not source.count():
            answer = page.locator(".answer").inner_text()
            raise Failed(f"the answer cites {paper.name} nowhere: {' '.join(answer.split())[:300]}")
        source.click()
        panel = page.locator("#source")
        expect(panel.locator("h2")).to_have_text(paper.name)
        # A PDF is shown as an image of the page, which needs the store and a child process.
        page.wait_for_function("() => document.querySelector('#source img')?.naturalWidth > 100")
        found = self._cited(document)
        if paper.fact not in found["text"]:
            raise Failed(f"the cited passage does not hold “{paper.fact}”: {found['text'][:300]}")
        return found

    def _cited(self, document: str) -> dict[str, Any]:
        conversation = self.page.url.split("/c/")[1].split("#")[0].split("?")[0]
        _, said = self.call("GET", f"/api/v1/conversations/{conversation}/messages")
        for message in said["items"]:
            for citation in message["citations"]:
                passage = citation["passage"]
                if passage["document"]["id"] == document:
                    return {"text": passage["text"], "place": passage["place"], "name": passage["document"]["name"]}
        raise Failed("no citation is of the document that was uploaded")

    def original(self, document: str) -> bytes:
        """Download the file with the link of the document's page."""
        page = self.page
        page.goto(f"{self.address}/documents/{document}")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Original").click()
        return Path(waiting.value.path()).read_bytes()

    def sign_out(self) -> None:
        """Sign out here and at Keycloak: neither /account nor the provider lets in without the password again."""
        page = self.page
        page.goto(f"{self.address}/account")
        page.get_by_role("button", name="Sign out", exact=True).first.click()
        expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        page.goto(f"{self.address}/account")
        expect(page.get_by_role("link", name="Sign in with")).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_role("link", name="Sign in with").click()
        expect(page.locator("#password")).to_be_visible(timeout=PATIENCE_MS)

    def call(self, method: str, path: str) -> tuple[int, Any]:
        """Call the REST API as the signed-in person."""
        status, text = self.page.evaluate(CALL, [method, path])
        return int(status), json.loads(text) if text else None
