"""Access tokens of a certified provider on the API."""

import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from app.accounts.auth import ApiRequest, caller_identify, stream_allowed
from app.accounts.choices import Role
from app.accounts.models import Organisation, User
from app.accounts.services import user_deactivate
from app.oidc.tests.claims import ask_me, logout_claims, rule, token_claims
from app.oidc.tests.oidc_provider import (
    PUBLIC,
    OidcProvider,
    needs_node,
    sign_in,
    visitor,
)
from app.oidc.tokens import LOGOUT_EVENT

pytestmark = [needs_node, pytest.mark.django_db]


@pytest.fixture
def ada(provider: OidcProvider, acme: Organisation, other: Organisation) -> User:
    rule(acme, "staff", Role.EDITOR)
    rule(other, "staff", Role.VIEWER)
    assert sign_in(visitor()).status_code == 302
    return User.objects.get(email="ada@example.org")


def test_an_access_token_is_its_person_on_the_api(provider: OidcProvider, ada: User) -> None:
    token = provider.mint(token_claims())
    me = ask_me(token, **{"X-Organisation": "acme"}).json()
    assert (me["user"]["email"], me["organisation"]["slug"], me["role"]) == ("ada@example.org", "acme", "editor")
    assert ask_me(token, **{"X-Organisation": "other"}).json()["role"] == "viewer"
    assert ask_me(token, **{"X-Organisation": "nobody"}).status_code == 404
    assert ask_me(provider.mint(token_claims(aud=["account", PUBLIC]))).status_code == 200
    assert ask_me(provider.mint(token_claims(aud=f"{PUBLIC}/api/v1", scope=None), typ="at+jwt")).status_code == 200


BAD_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "another key": ({}, "foreign"),
    "no signature": ({}, "none"),
    "the signature cut off": ({}, "signature-cut"),
    "the public key as a secret": ({}, "public-pem"),
    "our secret as a secret": ({}, "client-secret"),
    "another issuer": ({"iss": "https://evil.example.org"}, "signing"),
    "another audience": ({"aud": "account"}, "signing"),
    "an audience that begins like ours": ({"aud": f"{PUBLIC}.evil.example.org"}, "signing"),
    "no audience": ({"aud": None}, "signing"),
    "expired": ({"exp": 1_700_000_000}, "signing"),
    "no expiry": ({"exp": None}, "signing"),
    "from the future": ({"iat": 4_000_000_000}, "signing"),
    "somebody who never signed in": ({"sub": "bea"}, "signing"),
    "no subject": ({"sub": None}, "signing"),
    "an ID token": ({"nonce": "a"}, "signing"),
    "an ID token of Keycloak": ({"typ": "ID"}, "signing"),
    "a refresh token of Keycloak": ({"typ": "Refresh"}, "signing"),
    "a logout token": ({"events": {LOGOUT_EVENT: {}}}, "signing"),
    "no scope": ({"scope": None}, "signing"),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_bad_access_token_is_refused(provider: OidcProvider, ada: User, name: str) -> None:
    changes, key = BAD_TOKENS[name]
    response = ask_me(provider.mint(token_claims(**changes), key=key))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_access_token")


def test_a_deactivated_person_and_one_who_signed_out_lose_their_tokens(provider: OidcProvider, ada: User) -> None:
    first, second = (provider.mint(token_claims(sid=sid)) for sid in ("session-1", "session-2"))
    assert [ask_me(token).status_code for token in (first, second)] == [200, 200]
    visitor().post("/accounts/oidc/logout", {"logout_token": provider.mint(logout_claims(sid="session-1"))})
    user = User.objects.get(pk=ada.pk)
    wait_for_cache()
    assert [ask_me(token).status_code for token in (first, second)] == [401, 200]
    user_deactivate(user=user)
    wait_for_cache()
    assert ask_me(second).status_code == 401


def wait_for_cache() -> None:
    time.sleep(2.1)


def test_a_token_with_an_unknown_key_asks_for_new_keys_once(provider: OidcProvider, ada: User) -> None:
    provider.control()
    for number in range(20):
        token = provider.mint(token_claims(), kid=f"unknown-{number}")
        assert ask_me(token).status_code == 401
    assert provider.request_counts()["/jwks"] == 1


def test_keys_that_the_provider_changed_are_found(provider: OidcProvider, ada: User) -> None:
    assert ask_me(provider.mint(token_claims())).status_code == 200
    provider.control(rotated=True)
    assert ask_me(provider.mint(token_claims(), kid="rotated")).status_code == 200


def test_a_known_key_serves_while_the_provider_is_away(provider: OidcProvider, ada: User) -> None:
    provider.control(hang=["/jwks", "/.well-known/openid-configuration"])
    assert ask_me(provider.mint(token_claims())).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_stream_ends_with_its_access_token(provider: OidcProvider, ada: User) -> None:
    def stream_request(token: str) -> ApiRequest:
        request = ApiRequest()
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        request.caller = caller_identify(request)
        return request

    allowed = async_to_sync(stream_allowed)
    short, long = (stream_request(provider.mint(token_claims(sid=sid, exp=exp))) for sid, exp in streams())
    assert (allowed(short), allowed(long)) == (True, True)
    time.sleep(3.1)
    assert (allowed(short), allowed(long)) == (False, True)
    visitor().post("/accounts/oidc/logout", {"logout_token": provider.mint(logout_claims(sid="session-2"))})
    assert not allowed(long)


def streams() -> list[tuple[str, int]]:
    now = int(time.time())
    return [("session-1", now + 3), ("session-2", now + 300)]
