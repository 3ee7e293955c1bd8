"""Names that hold scripts, on every page of the portal and the admin, in a real browser: none runs, and the pages'
own policy has nothing to stop, so none reached a page as markup either."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Response

from app.ops.tests.browser import browser as browser
from app.ops.tests.browser import needs_browser, sign_in
from app.ops.tests.hostile import ATTACKS
from app.ops.tests.real_box import WholeBox

WATCH = """
window.seen = [];
window.ran = () => window.seen.push("a script ran");
window.alert = window.confirm = window.prompt = () => window.seen.push("a dialog opened");
document.addEventListener("securitypolicyviolation", (event) =>
  window.seen.push(`${event.violatedDirective} stopped ${event.blockedURI} ${event.sample}`));
"""
# Elements that an attack would have made, and addresses that would run one.
MADE = """() => [...document.querySelectorAll(
  "[onerror],[onload],[ontoggle],[onbegin],[srcdoc],[onfocus],base,object,iframe,img[src='x'],link[href^='data:']," +
  "a[href^='javascript:' i],a[href^='java\\\\tscript:' i],form[action^='javascript:' i]"
)].map((made) => made.outerHTML.slice(0, 200))"""
PORTAL = ("/", "/?bot=hostile8", "/documents", "/documents?state=failed", "/account", "/account/data")

# More than 300 pages, on a machine that may be busy with other tests.
pytestmark = [needs_browser, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("hostile") / "data")
    box.start()
    box.manage("shell", "-c", "from app.ops.tests.hostile import hostile_make; hostile_make()")
    yield box
    box.stop()


class Visit:
    """A signed-in browser that goes from page to page and keeps what it saw."""

    def __init__(self, browser: Browser, box: WholeBox) -> None:
        context = browser.new_context(base_url=box.address)
        context.add_init_script(WATCH)
        self.page: Page = context.new_page()
        self.page.on("pageerror", self._broken)
        self.found: list[tuple[str, Any]] = []
        self.texts = 0
        sign_in(self.page, box)

    def _broken(self, error: Error) -> None:
        self.found.append((self.page.url, str(error)))

    def see(self, path: str, *, statuses: tuple[int, ...] = (200,)) -> None:
        answer: Response | None = self.page.goto(path)
        assert answer is not None
        assert answer.status in statuses, path
        self.page.wait_for_timeout(60)
        for words in [*self.page.evaluate("window.seen"), *self.page.evaluate(MADE)]:
            self.found.append((path, words))
        self.texts += self.page.content().count("ran()")

    def admin_lists(self) -> list[str]:
        self.page.goto("/admin/")
        links = self.page.locator("#nav-sidebar a[href^='/admin/']").evaluate_all("all => all.map(a => a.pathname)")
        return [*dict.fromkeys(links), "/admin/bots/botrevision/", "/admin/chat/message/"]

    def first_rows(self, path: str, count: int) -> list[str]:
        self.page.goto(path)
        selector = f"#result_list a[href^='{path}'][href*='/change/']"
        links: list[str] = self.page.locator(selector).evaluate_all("all => all.map(a => a.pathname)")
        return list(dict.fromkeys(links))[:count]


@pytest.fixture(scope="module")
def visit(browser: Browser, box: WholeBox) -> Visit:
    return Visit(browser, box)


def test_no_attack_runs_on_a_page_of_the_admin(visit: Visit) -> None:
    lists = visit.admin_lists()
    assert len(lists) > 15
    for path in ["/admin/?days=90", *lists]:
        visit.see(path)
        if path.count("/") != 4:
            continue
        visit.see(f"{path}?q=%22%3E%3Cscript%3Eran()%3C/script%3E", statuses=(200, 302))
        for row in visit.first_rows(path, 2):
            for page in ("change", "delete", "history"):
                visit.see(row.replace("/change/", f"/{page}/"), statuses=(200, 403))
        visit.see(f"{path}add/", statuses=(200, 403))
    visit.see("/admin/search/?s=ran&extended=1")
    assert visit.found == []
    assert visit.texts > 1000


def test_no_attack_runs_on_a_page_of_the_portal(visit: Visit, box: WholeBox) -> None:
    conversations = [str(row[0]) for row in box.sql("SELECT id FROM chat_conversation ORDER BY id")]
    documents = [str(row[0]) for row in box.sql("SELECT id FROM sources_document ORDER BY id")]
    assert len(conversations) == len(documents) == len(ATTACKS)
    for path in [*PORTAL, *(f"/c/{each}" for each in conversations), *(f"/documents/{each}" for each in documents)]:
        visit.see(path)
    assert visit.found == []


def test_what_would_run_is_seen(browser: Browser, box: WholeBox) -> None:
    """The look-out itself: a page that holds an attack as markup is noticed."""
    page = browser.new_context(base_url=box.address).new_page()
    page.add_init_script(WATCH)
    page.route("**/held", lambda route: route.fulfill(content_type="text/html", body=ATTACKS[8]))
    page.goto("/held")
    end = time.monotonic() + 10
    while "a script ran" not in page.evaluate("window.seen") and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert page.evaluate("window.seen") == ["a script ran"]
    assert len(page.evaluate(MADE)) == 1
