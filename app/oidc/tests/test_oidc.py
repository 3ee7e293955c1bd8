"""Sign-in by a certified, honest provider: people, linked accounts, signing out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import Identity, Invitation, Membership, Organisation, SignIn, User
from app.accounts.password_reset import reset_link
from app.accounts.services import invitation_create, user_deactivate
from app.audit.models import AuditEntry
from app.oidc.tests.claims import ask_me, logout_claims, roles, rule
from app.oidc.tests.oidc_provider import (
    ADA,
    PUBLIC,
    OidcProvider,
    begin,
    finish,
    is_in,
    needs_node,
    query_read,
    sign_in,
    visitor,
    walk,
)
from app.oidc.tokens import LOGOUT_EVENT
from tests.people import PASSWORD, Person

pytestmark = [needs_node, pytest.mark.django_db]


# People


def test_the_sign_in_page_offers_the_provider_and_keeps_the_local_form(provider: OidcProvider) -> None:
    page = visitor().get("/accounts/sign-in?next=/documents").content.decode()
    assert "Sign in with 127.0.0.1" in page
    assert "/accounts/oidc/sign-in?next=/documents" in page
    assert "Local account" in page
    assert 'name="password"' in page


def test_without_oidc_nothing_of_it_is_there(db: Any) -> None:
    assert "Sign in with" not in visitor().get("/accounts/sign-in").content.decode()
    assert visitor().get("/accounts/oidc/sign-in").status_code == 404
    assert visitor().get("/accounts/oidc/callback?code=a&state=b").status_code == 404
    assert visitor().post("/accounts/oidc/logout", {"logout_token": "a"}).status_code == 404
    assert ask_me("a.b.c").json()["error"]["code"] == "bad_api_key"


def test_a_login_asks_with_state_nonce_and_s256(provider: OidcProvider) -> None:
    first, second = (query_read(begin(visitor())) for _ in range(2))
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == f"{PUBLIC}/accounts/oidc/callback"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 32
        assert first[name] != second[name]


def test_a_login_begun_at_another_host_goes_to_the_public_address_first(provider: OidcProvider) -> None:
    response = Client(headers={"Host": "127.0.0.1:8000"}).get("/accounts/oidc/sign-in?next=/documents")
    assert response["Location"] == f"{PUBLIC}/accounts/oidc/sign-in?next=/documents"


@pytest.mark.parametrize(
    "target", ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)", "/\\evil"]
)
def test_nobody_is_sent_to_another_site_after_signing_in(
    provider: OidcProvider, acme: Organisation, target: str
) -> None:
    rule(acme, "staff", Role.VIEWER)
    client = visitor()
    response = client.get("/accounts/oidc/sign-in", {"next": target})
    assert finish(client, walk(response["Location"]))["Location"] == "/"


def test_a_verified_address_takes_its_invitation(provider: OidcProvider, alice: Person) -> None:
    invitation_create(
        organisation=alice.organisation, email="ada@example.org", role=Role.EDITOR, invited_by=alice.user,
        inviter_role=Role.OWNER,
    )  # fmt: skip
    assert sign_in(client := visitor()).status_code == 302
    assert is_in(client)
    assert roles() == {"acme": ("editor", False)}
    assert Invitation.objects.get().accepted is not None


def test_an_expired_invitation_opens_nothing(provider: OidcProvider, alice: Person) -> None:
    invitation_create(
        organisation=alice.organisation, email="ada@example.org", role=Role.EDITOR, invited_by=alice.user,
        inviter_role=Role.OWNER,
    )  # fmt: skip
    Invitation.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert sign_in(visitor()).status_code == 403
    assert not User.objects.filter(email="ada@example.org").exists()


def test_a_person_without_an_organisation_reads_whom_to_ask(provider: OidcProvider, acme: Organisation) -> None:
    response = sign_in(visitor())
    assert response.status_code == 403
    assert "Ask an owner or admin of your organisation to invite that address" in response.content.decode()
    assert not User.objects.exists()


def test_the_account_is_the_subjects_when_the_address_changes(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    user = User.objects.get()
    provider.control(person={**ADA, "email": "lovelace@example.org"})
    assert sign_in(visitor()).status_code == 302
    user.refresh_from_db()
    assert user.email == "lovelace@example.org"
    assert Identity.objects.get().user == user


def test_the_name_of_the_provider_s_present_claims_is_the_account_s(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    for claimed, name in (("Ada Byron", "Ada Byron"), (" Ada\n King ", "Ada King"), ("", "Ada King"), (7, "Ada King")):
        provider.control(person={**ADA, "name": claimed})
        assert sign_in(visitor()).status_code == 302
        assert User.objects.get().name == name
    entries = AuditEntry.objects.filter(organisation=acme.pk, action="user.update").order_by("number")
    changes = [entry.detail.content["after"] for entry in entries.select_related("detail")]
    assert changes == [{"name": "Ada Byron"}, {"name": "Ada King"}]


def test_who_has_a_local_password_keeps_the_name_that_they_chose(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    for kept, name in (("Countess", "Countess"), ("", "Ada Byron")):
        User.objects.update(name=kept)
        provider.control(person={**ADA, "name": "Ada Byron", "email": "lovelace@example.org"})
        assert sign_in(visitor()).status_code == 302
        user.refresh_from_db()
        assert (user.name, user.email) == (name, "ada@example.org")


def test_an_unverified_change_of_address_is_not_taken_over(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    provider.control(person={**ADA, "email": "lovelace@example.org", "email_verified": False})
    assert sign_in(visitor()).status_code == 302
    assert User.objects.get().email == "ada@example.org"


def test_a_deactivated_person_is_refused(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    user_deactivate(user=User.objects.get())
    response = sign_in(client := visitor())
    assert (response.status_code, is_in(client)) == (403, False)


def test_an_account_of_the_provider_has_no_local_password(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    assert not User.objects.get().has_usable_password()
    for password in ("", "!", PASSWORD):
        response = Client().post("/accounts/sign-in", {"email": "ada@example.org", "password": password})
        assert response.status_code in (401, 429)


@pytest.mark.django_db(transaction=True)
def test_two_first_sign_ins_at_once_make_one_account(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    clients = [visitor() for _ in range(8)]
    ways = [walk(begin(client)) for client in clients]

    def back(pair: tuple[Client, str]) -> int:
        try:
            return int(finish(*pair).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(back, zip(clients, ways, strict=True))) == [302] * 8
    assert (User.objects.count(), Identity.objects.count(), Membership.objects.count()) == (1, 1, 1)


def test_who_was_refused_can_sign_in_as_somebody_else(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    provider.control(person={**ADA, "groups": []})
    client = visitor()
    assert "/accounts/oidc/sign-in?as=another" in sign_in(client).content.decode()
    assert query_read(begin(client, "/accounts/oidc/sign-in?as=another"))["prompt"] == "login"
    assert "prompt" not in query_read(begin(client))


# Linking


def test_a_person_with_a_local_account_links_it_and_signs_in_by_either(provider: OidcProvider, alice: Person) -> None:
    client = visitor()
    client.force_login(alice.user)
    assert "Link this account" in client.get("/account").content.decode()
    leaving = client.post("/accounts/oidc/link")
    assert leaving.status_code == 200
    response = finish(client, walk(leaving.context["address"]))
    assert (response.status_code, response["Location"]) == (302, "/account")
    assert Identity.objects.get().user == alice.user
    assert sign_in(fresh := visitor()).status_code == 302
    assert fresh.get("/api/v1/me").json()["user"]["email"] == "alice@example.org"
    linked = {"identity": str(Identity.objects.get().pk)}
    assert linked["identity"] in client.get("/account").content.decode()
    assert client.post("/accounts/oidc/unlink", linked).status_code == 302
    # Sessions that came by it have ended; sessions that came by the password stay.
    assert (is_in(fresh), is_in(client)) == (False, True)
    assert sign_in(visitor()).status_code == 403
    assert client.post("/accounts/oidc/unlink", linked).status_code == 404


def test_nobody_unlinks_another_person_s_sign_in(alice: Person, bob: Person) -> None:
    row = Identity.objects.create(user=alice.user, issuer="https://login.example.org", subject="alice")
    for identity in (str(row.pk), "nonsense", ""):
        assert bob.client.post("/accounts/oidc/unlink", {"identity": identity}).status_code == 404
    assert Identity.objects.get() == row
    assert "login.example.org" not in bob.client.get("/account").content.decode()


def test_a_new_password_says_which_sign_ins_stay_linked(alice: Person, bob: Person) -> None:
    Identity.objects.create(user=alice.user, issuer="https://login.example.org/realms/desk", subject="alice")
    for person, said in ((alice, True), (bob, False)):
        link = urlsplit(reset_link(user=person.user)).path
        page = Client().post(link, {"password": "another long password"}).content.decode()
        assert "Your password is changed" in page
        assert ("Signing in with login.example.org still works" in page) is said
        entry = AuditEntry.objects.filter(action="user.password", target=person.user.pk).latest("number")
        assert ("https://login.example.org/realms/desk" in str(entry.detail.content)) is said
    client = Client()
    client.post("/accounts/sign-in", {"email": alice.user.email, "password": "another long password"})
    assert "login.example.org" in client.get("/account").content.decode()


def test_an_identity_belongs_to_one_account(provider: OidcProvider, alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        client = visitor()
        client.force_login(person.user)
        response = finish(client, walk(client.post("/accounts/oidc/link").context["address"]))
    assert response.status_code == 403
    assert Identity.objects.get().user == alice.user


def test_linking_needs_the_person_who_asked(provider: OidcProvider, alice: Person, bob: Person) -> None:
    assert visitor().post("/accounts/oidc/link").status_code == 302
    strict = Client(enforce_csrf_checks=True, headers={"Host": "localhost:8000"})
    strict.force_login(alice.user)
    assert strict.post("/accounts/oidc/link").status_code == 403
    client = visitor()
    client.force_login(alice.user)
    way = walk(client.post("/accounts/oidc/link").context["address"])
    # The same browser and session, with another person.
    session = client.session
    session["_auth_user_id"] = str(bob.user.pk)
    session["_auth_user_hash"] = bob.user.get_session_auth_hash()
    session.save()
    assert finish(client, way).status_code == 400
    assert not Identity.objects.exists()


def test_the_only_way_in_is_not_unlinked(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(client := visitor())
    assert client.post("/accounts/oidc/unlink", {"identity": str(Identity.objects.get().pk)}).status_code == 409
    assert Identity.objects.count() == 1


# Signing out


@pytest.mark.parametrize("path", ["/accounts/sign-out", "/admin/logout/"])
def test_signing_out_goes_to_the_provider_with_the_id_token(
    provider: OidcProvider, acme: Organisation, path: str
) -> None:
    rule(acme, "staff", Role.ADMIN)
    sign_in(client := visitor())
    response = client.post(path)
    address = response.context["address"]
    assert urlsplit(address).path == "/session/end"
    query = query_read(address)
    assert query["post_logout_redirect_uri"] == f"{PUBLIC}/accounts/sign-in"
    assert query["id_token_hint"].count(".") == 2
    assert (is_in(client), SignIn.objects.count()) == (False, 0)


def test_the_provider_ends_one_session_or_all_of_a_person(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    clients = [visitor() for _ in range(3)]
    for client in clients:
        sign_in(client)
    for number, row in enumerate(SignIn.objects.order_by("created")):
        row.provider_session = f"session-{number}"
        row.save()
    token = provider.mint(logout_claims(sid="session-0"), typ="logout+jwt")
    assert Client(enforce_csrf_checks=True).post("/accounts/oidc/logout", {"logout_token": token}).status_code == 200
    assert [is_in(client) for client in clients] == [False, True, True]
    visitor().post("/accounts/oidc/logout", {"logout_token": provider.mint(logout_claims())})
    assert [is_in(client) for client in clients] == [False, False, False]


BAD_LOGOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "another key": ({}, "foreign"),
    "no signature": ({}, "none"),
    "the public key as a secret": ({}, "public-pem"),
    "another issuer": ({"iss": "https://evil.example.org"}, "signing"),
    "another audience": ({"aud": "another"}, "signing"),
    "no event": ({"events": None}, "signing"),
    "another event": ({"events": {"x": {}}}, "signing"),
    "an event that is text": ({"events": LOGOUT_EVENT}, "signing"),
    "with a nonce, as an ID token": ({"nonce": "a"}, "signing"),
    "about nobody": ({"sub": None}, "signing"),
    "old": ({"iat": 1_700_000_000}, "signing"),
    "from the future": ({"iat": 4_000_000_000}, "signing"),
    "expired": ({"exp": 1_700_000_000}, "signing"),
}


@pytest.mark.parametrize("name", BAD_LOGOUTS)
def test_a_logout_that_is_not_the_providers_ends_nothing(provider: OidcProvider, acme: Organisation, name: str) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(client := visitor())
    changes, key = BAD_LOGOUTS[name]
    token = provider.mint(logout_claims(**changes), key=key)
    response = visitor().post("/accounts/oidc/logout", {"logout_token": token})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert is_in(client)


def test_a_logout_without_a_token_is_refused(provider: OidcProvider) -> None:
    for token in ("", "a", "a.b.c", "ü.ü.ü", "\0"):
        assert visitor().post("/accounts/oidc/logout", {"logout_token": token}).status_code == 400
    assert visitor().get("/accounts/oidc/logout").status_code == 405
