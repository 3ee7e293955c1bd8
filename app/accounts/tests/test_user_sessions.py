import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from app.accounts import lockout
from app.accounts.auth import ApiRequest, Caller, stream_allowed
from app.accounts.choices import Role
from app.accounts.models import ApiKey, Invitation, Organisation, SignIn, User
from app.accounts.services import invitation_create, membership_create, organisation_suspend, user_deactivate
from app.accounts.user_sessions import browser_name, user_sessions_end_at_provider, user_sessions_purge
from tests.people import PASSWORD, Person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


@pytest.fixture(autouse=True)
def _no_attempts(db: Any) -> None:
    cache.clear()
    lockout._local.clear()


def browser(email: str = "alice@example.org", agent: str = FIREFOX, address: str = "198.51.100.7") -> Client:
    client = Client(REMOTE_ADDR=address, headers={"user-agent": agent})
    assert client.post("/accounts/sign-in", {"email": email, "password": PASSWORD}).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/api/v1/me").status_code == 200


def session_row(client: Client) -> SignIn:
    return SignIn.objects.get(session_key=client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_the_account_page_says_where_a_person_is_signed_in(alice: Person, bob: Person) -> None:
    laptop, phone = browser(), browser(agent=SAFARI, address="203.0.113.9")
    browser("bob@example.org", address="192.0.2.77")
    page = laptop.get("/account").content.decode()
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    assert "203.0.113.9" in page
    assert "192.0.2.77" not in page
    assert str(session_row(phone).pk) in page
    assert str(session_row(laptop).pk) not in page  # the current session has the usual sign-out button


def test_one_device_is_signed_out_from_another(alice: Person) -> None:
    laptop, phone = browser(), browser(agent=SAFARI)
    assert laptop.post("/account", {"do": "session", "session": str(session_row(phone).pk)}).status_code == 200
    assert (is_in(laptop), is_in(phone)) == (True, False)
    assert SignIn.objects.count() == 1


def test_signing_out_everywhere_leaves_no_session(alice: Person, bob: Person) -> None:
    laptop, phone, bobs = browser(), browser(agent=SAFARI), browser("bob@example.org")
    response = laptop.post("/account", {"do": "sessions"})
    assert (response.status_code, response["Location"]) == (302, "/accounts/sign-in")
    assert [is_in(client) for client in (laptop, phone, bobs)] == [False, False, True]
    assert SignIn.objects.get().user == bob.user


@pytest.mark.parametrize("named", ["", "null", "0", "\0"])
def test_a_session_that_is_not_theirs_is_not_there(alice: Person, bob: Person, named: str) -> None:
    laptop, bobs = browser(), browser("bob@example.org")
    for session in (named, str(session_row(bobs).pk)):
        assert laptop.post("/account", {"do": "session", "session": session}).status_code == 404
    assert is_in(bobs)


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(alice: Person) -> None:
    laptop, phone = browser(), browser(agent=SAFARI)
    changed = laptop.post("/account", {"do": "password", "current": PASSWORD, "new": "quite another long sentence"})
    assert changed.status_code == 200
    assert (is_in(laptop), is_in(phone)) == (True, False)
    assert SignIn.objects.get() == session_row(laptop)
    assert "Firefox on Linux" in laptop.get("/account").content.decode()


def test_a_deactivated_person_s_sessions_are_gone_from_the_server(alice: Person) -> None:
    key = session_row(browser()).session_key
    user_deactivate(user=alice.user)
    assert not Session.objects.filter(pk=key).exists()
    assert not SignIn.objects.exists()


def test_signing_out_takes_the_row_and_the_session(alice: Person) -> None:
    client = browser()
    key = session_row(client).session_key
    client.post("/accounts/sign-out")
    assert not SignIn.objects.exists()
    assert not Session.objects.filter(pk=key).exists()


def test_rows_of_dead_sessions_go(alice: Person, bob: Person) -> None:
    dead, expired, live = browser(), browser(agent=SAFARI), browser("bob@example.org")
    Session.objects.filter(pk=session_row(dead).session_key).delete()
    Session.objects.filter(pk=session_row(expired).session_key).update(expire_date=timezone.now() - timedelta(days=1))
    assert "Firefox" not in alice.client.get("/account").content.decode()
    assert user_sessions_purge() == 2
    assert SignIn.objects.get() == session_row(live)


def test_signing_in_again_removes_one_s_own_dead_rows(alice: Person) -> None:
    Session.objects.filter(pk=session_row(browser()).session_key).delete()
    assert SignIn.objects.get() is not None
    client = browser()
    assert SignIn.objects.get() == session_row(client)


def test_a_provider_ends_the_sessions_that_it_vouched_for(alice: Person) -> None:
    vouched, other, local = browser(), browser(agent=SAFARI), browser()
    for client, session in ((vouched, "one"), (other, "two")):
        SignIn.objects.filter(pk=session_row(client).pk).update(issuer="https://id.example", provider_session=session)
    assert user_sessions_end_at_provider(issuer="https://id.example") == 0
    assert user_sessions_end_at_provider(issuer="https://else.example", provider_session="one") == 0
    assert user_sessions_end_at_provider(issuer="https://id.example", provider_session="one") == 1
    assert [is_in(client) for client in (vouched, other, local)] == [False, True, True]
    assert user_sessions_end_at_provider(issuer="https://id.example", user=alice.user.pk) == 1
    assert [is_in(client) for client in (other, local)] == [False, True]


@pytest.mark.parametrize(("agent", "words"), [(FIREFOX, "Firefox on Linux"), ("curl/8.5", "curl/8.5"), ("", "Unknown")])
def test_a_browser_is_named_as_people_know_it(agent: str, words: str) -> None:
    assert browser_name(agent).startswith(words)


def test_what_a_browser_says_of_itself_is_text(alice: Person) -> None:
    page = browser(agent="<script>alert(1)</script>" + "x" * 5000).get("/account").content.decode()
    assert "<script>alert" not in page


def test_the_session_cookie_is_for_one_host_and_no_script(alice: Person) -> None:
    cookies = browser().cookies
    for name in (settings.SESSION_COOKIE_NAME, settings.DEVICE_COOKIE_NAME):
        cookie = cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (True, "Lax", "", "/")


# Several organisations


def test_a_person_in_two_organisations_switches_and_stays(alice: Person, other: Organisation) -> None:
    membership_create(organisation=other, user=alice.user, role=Role.EDITOR)
    client = browser()
    assert 'value="other"' in client.get("/").content.decode()
    assert client.get("/api/v1/me").json()["organisation"]["slug"] == "acme"
    assert client.post("/accounts/organisation", {"organisation": "other"}).status_code == 302
    payload = client.get("/api/v1/me").json()
    assert (payload["organisation"]["slug"], payload["role"]) == ("other", "editor")
    assert 'data-organisation="other"' in client.get("/documents").content.decode()
    # A page opened earlier names the organisation of its calls.
    assert client.get("/api/v1/me", headers={"X-Organisation": "acme"}).json()["organisation"]["slug"] == "acme"


def test_a_person_in_one_organisation_sees_no_switch(alice: Person) -> None:
    assert "/accounts/organisation" not in alice.client.get("/").content.decode()


@pytest.mark.parametrize("slug", ["other", "nowhere", "", "\0"])
def test_nobody_switches_to_what_is_not_theirs(alice: Person, charlie: Person, slug: str) -> None:
    assert alice.client.post("/accounts/organisation", {"organisation": slug}).status_code == 404
    assert alice.client.get("/api/v1/me").json()["organisation"]["slug"] == "acme"


def test_a_choice_is_checked_with_every_request(alice: Person, other: Organisation) -> None:
    membership = membership_create(organisation=other, user=alice.user, role=Role.OWNER)
    client = browser()
    client.post("/accounts/organisation", {"organisation": "other"})
    membership.delete()
    assert client.get("/api/v1/me").json()["organisation"]["slug"] == "acme"
    session = client.session
    for planted in ("nonsense", 7, None, str(other.pk)):
        session["organisation"] = planted
        session.save()
        assert client.get("/api/v1/me").json()["organisation"]["slug"] == "acme"


def test_a_form_of_another_organisation_s_page_invites_nobody(alice: Person, other: Organisation) -> None:
    membership_create(organisation=other, user=alice.user, role=Role.OWNER)
    client = browser()
    client.post("/accounts/organisation", {"organisation": "other"})
    form = {"do": "invite", "email": "dora@example.org", "role": "viewer", "organisation": "acme"}
    assert client.post("/members", form).status_code == 409
    assert "switched to another" in client.post("/members", form).content.decode()


# Suspended organisations


def test_nobody_of_a_suspended_organisation_gets_in(alice: Person, bob: Person) -> None:
    organisation_suspend(organisation=alice.organisation, suspended=True)
    page = bob.client.get("/documents")
    assert (page.status_code, "is suspended" in page.content.decode()) == (403, True)
    call = bob.client.get("/api/v1/me")
    assert (call.status_code, call.json()["error"]["code"]) == (403, "organisation_suspended")
    named = bob.client.get("/api/v1/me", headers={"X-Organisation": "acme"})
    assert named.json()["error"]["code"] == "organisation_suspended"
    assert alice.client.get("/admin/accounts/apikey/").status_code == 302
    organisation_suspend(organisation=alice.organisation, suspended=False)
    assert is_in(bob.client)
    assert alice.client.get("/admin/accounts/apikey/").status_code == 200


def test_an_outsider_learns_nothing_of_a_suspension(alice: Person, charlie: Person) -> None:
    organisation_suspend(organisation=alice.organisation, suspended=True)
    call = charlie.client.get("/api/v1/me", headers={"X-Organisation": "acme"})
    assert (call.status_code, call.json()["error"]["code"]) == (404, "not_found")


def test_a_person_in_another_organisation_still_uses_that_one(alice: Person, other: Organisation) -> None:
    membership_create(organisation=other, user=alice.user, role=Role.OWNER)
    organisation_suspend(organisation=alice.organisation, suspended=True)
    assert alice.client.get("/api/v1/me").json()["organisation"]["slug"] == "other"
    assert "Acme" not in alice.client.get("/documents").content.decode()
    assert alice.client.get("/admin/accounts/apikey/").status_code == 200
    assert alice.client.get(f"/admin/accounts/apikey/{ApiKey.objects.get(name='alice').pk}/change/").status_code == 302


def test_an_invitation_into_a_suspended_organisation_waits(alice: Person) -> None:
    page = alice.client.post("/members", {"do": "invite", "email": "dora@example.org", "role": "viewer"})
    link = page.context["link"].removeprefix("http://localhost:8000")
    organisation_suspend(organisation=alice.organisation, suspended=True)
    assert Client().post(link, {"name": "Dora", "password": PASSWORD}).status_code == 403
    assert not User.objects.filter(email="dora@example.org").exists()
    organisation_suspend(organisation=alice.organisation, suspended=False)
    assert Client().post(link, {"name": "Dora", "password": PASSWORD}).status_code == 302


def test_invitations_are_listed_as_what_their_links_do(alice: Person, bob: Person) -> None:
    now = timezone.now()
    for name, maker in (("open", alice), ("expired", alice), ("void", bob)):
        invitation_create(
            organisation=alice.organisation, email=f"{name}@example.org", role=Role.VIEWER, invited_by=maker.user,
            inviter_role=Role.OWNER,
        )  # fmt: skip
    Invitation.objects.filter(email="expired@example.org").update(expires=now)
    # bob is a viewer: as when an operator who made it is no operator any more.
    page = " ".join(alice.client.get("/members").content.decode().split())
    for name, words in (("open", "Open until"), ("expired", "Expired on"), ("void", "No longer valid")):
        assert re.search(rf"{name}@example.org<small>{words}", page), name
    page = alice.client.get("/admin/accounts/invitation/").content.decode()
    states = ("Open", "Expired", "No longer valid")
    assert [len(re.findall(rf">\s*{state}\s*<", page)) for state in states] == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["suspended", "ended", "everywhere"])
def test_a_stream_of_a_session_ends_when_the_session_or_its_organisation_does(alice: Person, how: str) -> None:
    client = browser()
    request = ApiRequest()
    request.session = client.session
    request.caller = Caller(alice.organisation.pk, "acme", Role.OWNER, user_id=alice.user.pk)
    allowed = async_to_sync(stream_allowed)
    assert allowed(request)
    if how == "suspended":
        organisation_suspend(organisation=alice.organisation, suspended=True)
    elif how == "ended":
        browser().post("/account", {"do": "session", "session": str(session_row(client).pk)})
    else:
        browser().post("/account", {"do": "sessions"})
    assert not allowed(request)


@pytest.mark.django_db(transaction=True)
def test_a_stream_of_a_key_ends_with_a_suspension(alice: Person) -> None:
    request = ApiRequest()
    key = ApiKey.objects.get(name="alice")
    request.caller = Caller(alice.organisation.pk, "acme", Role.OWNER, api_key_id=key.pk)
    allowed = async_to_sync(stream_allowed)
    assert allowed(request)
    organisation_suspend(organisation=alice.organisation, suspended=True)
    assert not allowed(request)
