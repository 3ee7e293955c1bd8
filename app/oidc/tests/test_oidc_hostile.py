"""A certified provider that misbehaves: nobody is signed in, nothing changes, a plain page appears within seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Identity, Invitation, Membership, Organisation, SignIn, User
from app.accounts.services import invitation_create
from app.oidc.tests.oidc_provider import (
    ADA,
    OidcProvider,
    begin,
    changed,
    finish,
    is_in,
    needs_node,
    sign_in,
    visitor,
    walk,
)
from tests.people import Person

pytestmark = [needs_node, pytest.mark.django_db]

DISCOVERY = "/.well-known/openid-configuration"
JWKS, TOKEN, USERINFO = "/jwks", "/token", "/me"
HOUR = 3600
# The limit for a hanging provider is 5 s; a busy machine needs more for the rest.
LIMIT_S = 15


@dataclass(frozen=True)
class Login:
    """A login that must be refused. `control`: a function that returns the provider's behaviour."""

    control: Callable[[], dict[str, Any]] = dict
    redirect: Callable[[str], str] = field(default=lambda address: address)
    callback: Callable[[str], str] = field(default=lambda address: address)
    before: Callable[[OidcProvider, Client], None] = field(default=lambda provider, client: None)


def claims(**changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"claims": changes}


def moved(name: str, seconds: float) -> Callable[[], dict[str, Any]]:
    return lambda: {"claims": {name: int(time.time() + seconds)}}


def signed(key: str, **header: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"key": key, "header": header}


def person(**changes: Any) -> Callable[[], dict[str, Any]]:
    attributes = {name: value for name, value in {**ADA, **changes}.items() if value is not None}
    return lambda: {"person": attributes}


def responses(path: str, **response: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"answers": {path: response}}


def hangs(path: str) -> Callable[[], dict[str, Any]]:
    return lambda: {"hang": [path]}


def callback(**changes: str | None) -> Callable[[str], str]:
    return lambda address: changed(address, **changes)


def known_as_ada(provider: OidcProvider, client: Client) -> None:
    assert sign_in(visitor()).status_code == 302


LOGINS = {
    "another issuer": Login(claims(iss="https://evil.example.org")),
    "an issuer with a slash more": Login(lambda: {"claims": {"iss": "http://127.0.0.1/"}}),
    "another audience": Login(claims(aud="another-client")),
    "no audience": Login(claims(aud=None)),
    "several audiences and no azp": Login(claims(aud=["refdesk", "another-client"], azp=None)),
    "another azp": Login(claims(azp="another-client")),
    "several audiences with another azp": Login(claims(aud=["refdesk", "another-client"], azp="another-client")),
    "another nonce": Login(claims(nonce="guessed")),
    "no nonce": Login(claims(nonce=None)),
    "a nonce that is a list": Login(claims(nonce=["guessed"])),
    "another state": Login(callback=callback(state="guessed")),
    "no state": Login(callback=callback(state=None)),
    "no code": Login(callback=callback(code=None)),
    "another code": Login(callback=callback(code="guessed")),
    "a code with NUL": Login(callback=callback(code="a\0b")),
    "an answer of another provider": Login(callback=callback(iss="https://evil.example.org")),
    "an error instead of a code": Login(callback=callback(code=None, error="server_error")),
    "no PKCE at the provider": Login(
        lambda: {"pkce": False}, redirect=lambda there: changed(there, code_challenge=None, code_challenge_method=None)
    ),
    "another PKCE challenge": Login(redirect=lambda there: changed(there, code_challenge="A" * 43)),
    "alg none": Login(signed("none")),
    "alg none in capitals": Login(signed("none", alg="NONE")),
    "no signature": Login(signed("signature-cut")),
    "HS256 with the public key": Login(signed("public-pem")),
    "HS256 with the client's secret": Login(signed("client-secret")),
    "another key with the same name": Login(signed("foreign")),
    "a key that nobody knows": Login(signed("foreign", kid="unknown")),
    "expired": Login(moved("exp", -HOUR)),
    "no expiry": Login(claims(exp=None)),
    "an expiry that is text": Login(claims(exp="tomorrow")),
    "issued in the future": Login(moved("iat", HOUR)),
    "issued long ago": Login(moved("iat", -HOUR)),
    "not before tomorrow": Login(moved("nbf", 24 * HOUR)),
    "no subject": Login(claims(sub=None)),
    "a subject with NUL": Login(claims(sub="a\0da")),
    "a subject that is too long": Login(claims(sub="a" * 256)),
    "an at_hash of another access token": Login(claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA")),
    "userinfo about somebody else": Login(lambda: {"userinfo": {"sub": "bea"}}),
    "userinfo about nobody": Login(responses(USERINFO, body="{}")),
    "an address that is not verified": Login(person(email_verified=False)),
    "an address of which nobody says whether it is verified": Login(person(email_verified=None)),
    "verified with a word": Login(person(email_verified="yes")),
    "no address": Login(person(email=None)),
    "an address that is none": Login(person(email="ada at example")),
    "half a character in the address": Login(lambda: {"claims": {"email": "\ud800@example.org"}}),
    "the address of an account that is there": Login(person(email="alice@example.org")),
    "the same in capitals": Login(person(email="Alice@Example.ORG")),
    "a known address with a new subject": Login(lambda: {"subject": "ada-again", "person": ADA}, before=known_as_ada),
    "an address that became a victim's": Login(person(email="alice@example.org"), before=known_as_ada),
    "somebody without an organisation": Login(person(groups=["strangers"])),
    "JWKS that hang": Login(hangs(JWKS)),
    "a token endpoint that hangs": Login(hangs(TOKEN)),
    "userinfo that hangs": Login(hangs(USERINFO)),
    "JWKS that are garbage": Login(responses(JWKS, body="<html>")),
    "JWKS that are another shape": Login(responses(JWKS, body='{"keys": [1, {"kty": "RSA", "kid": "signing"}]}')),
    "no JWKS": Login(responses(JWKS, status=500)),
    "a token answer that is garbage": Login(responses(TOKEN, body="garbage")),
    "a token answer that is a list": Login(responses(TOKEN, body="[]")),
    "a token answer without tokens": Login(responses(TOKEN, body="{}")),
    "an ID token that is none": Login(
        responses(TOKEN, body='{"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"}')
    ),
    "an ID token that is a number": Login(
        responses(TOKEN, body='{"access_token": "a", "token_type": "Bearer", "id_token": 7}')
    ),
    "a token endpoint that fails": Login(responses(TOKEN, status=500, body="")),
    "a token endpoint that leads elsewhere": Login(
        responses(TOKEN, status=307, headers={"Location": "http://127.0.0.1:9/steal"})
    ),
    "a huge token answer": Login(responses(TOKEN, bytes=50_000_000)),
    "huge JWKS": Login(responses(JWKS, bytes=50_000_000)),
    "huge userinfo": Login(responses(USERINFO, bytes=50_000_000)),
}


@pytest.fixture
def staff(acme: Organisation) -> ClaimRule:
    """Make the rule that admits Ada."""
    return ClaimRule.objects.create(organisation=acme, claim="groups", value="staff", role=Role.VIEWER)


def accounts() -> list[list[tuple[Any, ...]]]:
    """Return every row that identifies a person or gives them a right."""
    tables: list[tuple[Any, list[str]]] = [
        (User, ["pk", "email", "password", "is_active"]),
        (Identity, ["pk", "user", "issuer", "subject"]),
        (Membership, ["pk", "user", "organisation", "role", "by_rule"]),
        (Invitation, ["pk", "accepted"]),
        (SignIn, ["pk", "user"]),
    ]
    return [sorted(model.objects.values_list(*names), key=str) for model, names in tables]


def check_refused(response: Any) -> None:
    assert 400 <= response.status_code < 500, response.content.decode()
    assert response["Content-Type"].startswith("text/html")
    page = response.content.decode()
    assert "Signing in did not work" in page or "You cannot sign in here yet" in page
    assert "Back to signing in" in page


def test_an_honest_login_succeeds(provider: OidcProvider, staff: ClaimRule) -> None:
    client = visitor()
    assert sign_in(client, "/accounts/oidc/sign-in?next=/documents")["Location"] == "/documents"
    assert is_in(client)
    identity = Identity.objects.get()
    assert (identity.issuer, identity.subject, identity.user.email) == (provider.issuer, "ada", "ada@example.org")
    assert Membership.objects.filter(user=identity.user, role=Role.VIEWER, by_rule=True).count() == 1


@pytest.mark.parametrize("name", LOGINS)
def test_a_hostile_login_is_refused(provider: OidcProvider, staff: ClaimRule, alice: Person, name: str) -> None:
    login, client = LOGINS[name], visitor()
    login.before(provider, client)
    before = accounts()
    provider.control(**login.control())
    address = login.callback(walk(login.redirect(begin(client))))
    started = time.monotonic()
    response = finish(client, address)
    assert time.monotonic() - started < LIMIT_S
    check_refused(response)
    assert SESSION_KEY not in client.session
    assert not is_in(client)
    assert accounts() == before


BROKEN_BEGINNINGS = {
    "discovery that hangs": hangs(DISCOVERY),
    "discovery that is garbage": responses(DISCOVERY, body="<html>no</html>"),
    "discovery that is a list": responses(DISCOVERY, body="[]"),
    "discovery of another issuer": responses(DISCOVERY, body='{"issuer": "https://evil.example.org"}'),
    "discovery without addresses": lambda: {"issuer_only": True},
    "huge discovery": responses(DISCOVERY, bytes=50_000_000),
    "discovery that leads elsewhere": responses(DISCOVERY, status=302, headers={"Location": "http://127.0.0.1:9/"}),
    "discovery that fails": responses(DISCOVERY, status=503),
}


@pytest.mark.parametrize("name", BROKEN_BEGINNINGS)
def test_a_sign_in_that_cannot_begin_is_a_plain_page(provider: OidcProvider, name: str) -> None:
    behaviour = BROKEN_BEGINNINGS[name]()
    if behaviour.pop("issuer_only", False):
        behaviour["answers"] = {DISCOVERY: {"body": f'{{"issuer": "{provider.issuer}", "jwks_uri": "javascript:1"}}'}}
    provider.control(**behaviour)
    started = time.monotonic()
    check_refused(visitor().get("/accounts/oidc/sign-in"))
    assert time.monotonic() - started < LIMIT_S


def test_an_answer_is_taken_once(provider: OidcProvider, staff: ClaimRule) -> None:
    client = visitor()
    address = walk(begin(client))
    assert finish(client, address).status_code == 302
    before = accounts()
    check_refused(finish(client, address))
    check_refused(finish(visitor(), address))
    assert accounts() == before


def test_an_answer_is_taken_by_the_browser_that_asked(provider: OidcProvider, staff: ClaimRule) -> None:
    address = walk(begin(visitor()))
    victim = visitor()
    begin(victim)
    check_refused(finish(victim, address))
    assert not is_in(victim)


def test_an_invitation_does_not_open_somebody_elses_account(provider: OidcProvider, alice: Person) -> None:
    invitation_create(
        organisation=alice.organisation,
        email="alice@example.org",
        role=Role.OWNER,
        invited_by=alice.user,
        inviter_role=Role.OWNER,
    )
    before = accounts()
    provider.control(person={**ADA, "email": "alice@example.org"})
    check_refused(sign_in(visitor()))
    assert accounts() == before


def test_a_provider_that_hangs_is_not_asked_again_at_once(provider: OidcProvider, staff: ClaimRule) -> None:
    provider.control(hang=[DISCOVERY])
    check_refused(visitor().get("/accounts/oidc/sign-in"))
    started = time.monotonic()
    check_refused(visitor().get("/accounts/oidc/sign-in"))
    assert time.monotonic() - started < 2
    assert provider.request_counts()[DISCOVERY] == 1
