"""Sign-in through the pages of a real Keycloak, in real Chromium, against a whole box, with the realm of our file."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.oidc.tests.keycloak import PASSWORD, REALM_FILE, SECRET, Realm, needs_keycloak
from tests.box.real_box import WholeBox
from tests.chromium import browser, needs_browser

__all__ = ["browser"]  # a fixture

# The longest time from the provider's logout to the end of a stream.
STREAM_END_S = 5


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("keycloak") / "data")
    box.realm = Realm(box.address)  # type: ignore[attr-defined]
    try:
        box.start(
            REFDESK_OIDC_ISSUER=realm_get(box).issuer,
            REFDESK_OIDC_CLIENT_ID="refdesk",
            REFDESK_OIDC_CLIENT_SECRET=SECRET,
        )
        yield box
    finally:
        box.stop()
        realm_get(box).remove()


def realm_get(box: WholeBox) -> Realm:
    realm: Realm = box.realm  # type: ignore[attr-defined]
    return realm


@pytest.fixture(scope="module")
def rules(box: WholeBox, browser: Browser) -> None:
    """Make the rules that admit groups, in the admin, as the owner with the local account."""
    page = browser.new_page()
    page.goto(box.address)
    page.get_by_text("Local account").click()
    page.get_by_label("E-mail address").fill("owner@example.org")
    page.get_by_label("Password").fill(box.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    for group, role in (("refdesk-editors", "Editor"), ("refdesk-viewers", "Viewer")):
        page.goto(f"{box.address}/admin/accounts/claimrule/add/")
        page.locator("#id_claim").fill("groups")
        page.locator("#id_value").fill(group)
        page.locator("#id_role").select_option(label=role)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("link", name="groups").first).to_be_visible()
    page.context.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def provider_sign_in(page: Page, box: WholeBox, name: str) -> None:
    page.goto(box.address)
    page.get_by_role("link", name="Sign in with").click()
    page.locator("#username").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#kc-login").click()


def sign_out(page: Page) -> None:
    """Sign out here, then at Keycloak, and follow the redirect back."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def signed_in(page: Page) -> None:
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()


def me(page: Page) -> Any:
    return page.evaluate("() => fetch('/api/v1/me').then(answer => answer.json())")


def status_with(box: WholeBox, token: str, path: str = "/api/v1/me") -> int:
    request = urllib.request.Request(box.address + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_realm_file_has_no_people_and_no_secret() -> None:
    realm = json.loads(REALM_FILE.read_text())
    assert "users" not in realm
    assert realm["registrationAllowed"] is False
    client = realm["clients"][0]
    assert client["secret"] == "${REFDESK_OIDC_CLIENT_SECRET}"
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"


@needs_keycloak
@needs_browser
def test_a_person_signs_in_out_and_in_again(box: WholeBox, rules: None, context: BrowserContext) -> None:
    realm_get(box).user_add("erin", "refdesk-editors")
    page = context.new_page()
    provider_sign_in(page, box, "erin")
    signed_in(page)
    found = me(page)
    assert (found["user"]["email"], found["role"]) == ("erin@example.org", "editor")
    sign_out(page)
    assert page.url.startswith(f"{box.address}/accounts/sign-in")
    assert me(page)["error"]["code"] == "not_signed_in"
    # The Keycloak session has ended too: Keycloak asks for the password again.
    provider_sign_in(page, box, "erin")
    signed_in(page)
    assert me(page)["user"]["email"] == "erin@example.org"


@needs_keycloak
@needs_browser
def test_keycloak_ends_a_session_and_its_stream(box: WholeBox, rules: None, context: BrowserContext) -> None:
    user = realm_get(box).user_add("frank", "refdesk-viewers")
    page = context.new_page()
    provider_sign_in(page, box, "frank")
    signed_in(page)
    page.evaluate(
        """() => {
            // Not waited for: it goes on.
            fetch('/api/v1/documents/events').then(async answer => {
                window.stream = answer.status;
                const reader = answer.body.getReader();
                while (!(await reader.read()).done) {}
                window.stream = 'ended';
            });
        }"""
    )
    page.wait_for_function("() => window.stream === 200")
    realm_get(box).sign_out(user)
    told_at = time.monotonic()
    assert me(page)["error"]["code"] == "not_signed_in"
    page.wait_for_function("() => window.stream === 'ended'", timeout=30_000)
    assert time.monotonic() - told_at < STREAM_END_S
    page.goto(f"{box.address}/documents")
    expect(page.get_by_role("link", name="Sign in with")).to_be_visible()


@needs_keycloak
@needs_browser
def test_a_group_that_is_taken_away_takes_the_membership(
    box: WholeBox, rules: None, browser: Browser, context: BrowserContext
) -> None:
    user = realm_get(box).user_add("grace", "refdesk-editors", "refdesk-viewers")
    page = context.new_page()
    provider_sign_in(page, box, "grace")
    signed_in(page)
    assert me(page)["role"] == "editor"
    realm_get(box).group_leave(user, "refdesk-editors")
    sign_out(page)
    provider_sign_in(page, box, "grace")
    signed_in(page)
    assert me(page)["role"] == "viewer"
    realm_get(box).group_leave(user, "refdesk-viewers")
    sign_out(page)
    provider_sign_in(page, box, "grace")
    expect(page.get_by_role("heading", name="You cannot sign in here yet")).to_be_visible()
    expect(page.get_by_text("Ask an owner or admin of your organisation")).to_be_visible()
    assert me(page)["error"]["code"] == "not_signed_in"


@needs_keycloak
@needs_browser
def test_the_api_takes_an_access_token_made_for_refdesk(box: WholeBox, rules: None, context: BrowserContext) -> None:
    realm = realm_get(box)
    realm.user_add("heidi", "refdesk-viewers")
    realm.program_add("notebook", for_refdesk=True)
    realm.program_add("elsewhere", for_refdesk=False)
    assert status_with(box, realm.access_token("notebook", "heidi")) == 401, "she has not signed in yet"
    page = context.new_page()
    provider_sign_in(page, box, "heidi")
    signed_in(page)
    token = realm.access_token("notebook", "heidi")
    assert status_with(box, token) == 200
    assert status_with(box, realm.access_token("elsewhere", "heidi")) == 401
    assert status_with(box, re.sub(r".{8}$", "AAAAAAAA", token)) == 401


@needs_keycloak
@needs_browser
def test_an_address_that_keycloak_does_not_vouch_for_opens_nothing(
    box: WholeBox, rules: None, context: BrowserContext
) -> None:
    realm_get(box).user_add("ivan", "refdesk-viewers", verified=False)
    page = context.new_page()
    provider_sign_in(page, box, "ivan")
    expect(page.get_by_role("heading", name="You cannot sign in here yet")).to_be_visible()
    expect(page.get_by_text("does not vouch for your e-mail address")).to_be_visible()
