import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app.accounts import auth
from app.accounts.auth import ApiRequest, Caller, caller_is_current, stream_allowed
from app.accounts.choices import Role
from app.accounts.keys import api_key_create, api_key_revoke
from app.accounts.models import ApiKey, Membership, Organisation
from app.accounts.services import membership_create, password_set, user_deactivate
from tests.people import Person


@pytest.fixture(autouse=True)
def _nobody_remembered() -> None:
    auth._callers.clear()


def me(key: str, **headers: str) -> Any:
    return Client().get("/api/v1/me", headers={"Authorization": f"Bearer {key}", **headers})


def test_a_key_says_who_it_is_and_for_which_organisation(alice: Person) -> None:
    response = me(alice.key)
    assert response.status_code == 200
    me_payload = response.json()
    assert (me_payload["organisation"]["slug"], me_payload["role"], me_payload["api_key"]) == ("acme", "owner", "alice")
    assert me_payload["user"] is None


def test_nobody_is_asked_to_sign_in_by_the_one_error_payload() -> None:
    response = Client().get("/api/v1/me")
    assert response.status_code == 401
    error = response.json()["error"]
    assert error["code"] == "not_signed_in"
    assert error["request_id"] == response["X-Request-ID"]


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer rk_", "bearer rk_wrong", "Bearer sk-1", "Bearer \u00e9"]
)
def test_what_is_no_key_is_refused(db: Any, header: str) -> None:
    response = Client().get("/api/v1/me", headers={"Authorization": header})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_api_key")


def test_a_key_in_the_address_is_no_key(alice: Person) -> None:
    for name in ("key", "api_key", "token", "access_token"):
        assert Client().get(f"/api/v1/me?{name}={alice.key}").status_code == 401


def test_a_revoked_key_is_refused_within_two_seconds(acme: Organisation) -> None:
    row, key = api_key_create(organisation=acme, name="program", role=Role.VIEWER)
    assert me(key).status_code == 200
    started = time.monotonic()
    api_key_revoke(organisation=acme.pk, api_key=row.pk)
    while me(key).status_code == 200:
        assert time.monotonic() - started < 10  # two seconds, and the delay of a busy machine
        time.sleep(0.05)
    assert me(key).json()["error"]["code"] == "bad_api_key"


def test_an_expired_key_is_refused(acme: Organisation) -> None:
    row, key = api_key_create(organisation=acme, name="program", expires=timezone.now() + timedelta(hours=1))
    ApiKey.objects.filter(pk=row.pk).update(expires=timezone.now() - timedelta(seconds=1))
    assert me(key).json()["error"]["code"] == "bad_api_key"


def test_a_known_key_costs_no_query(alice: Person) -> None:
    me(alice.key)
    with CaptureQueriesContext(connection) as queries:
        assert Client().get("/api/v1/openapi.json", headers=alice.headers).status_code == 200
    assert len(queries) == 0


def test_the_use_of_a_key_is_noted_once_a_minute(alice: Person) -> None:
    me(alice.key)
    first = ApiKey.objects.get(name="alice").last_used
    auth._callers.clear()
    me(alice.key)
    assert first is not None
    assert ApiKey.objects.get(name="alice").last_used == first


def test_remembered_callers_have_a_limit(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CALLER_CACHE_SIZE", 3)
    for number in range(7):
        assert me(api_key_create(organisation=acme, name=str(number))[1]).status_code == 200
        assert len(auth._callers) <= 3


def test_a_person_in_two_organisations_says_which(bob: Person, other: Organisation) -> None:
    membership_create(organisation=other, user=bob.user, role=Role.EDITOR)
    for slug, role in (("acme", "viewer"), ("other", "editor")):
        me_payload = bob.client.get("/api/v1/me", headers={"X-Organisation": slug}).json()
        assert (me_payload["organisation"]["slug"], me_payload["role"], me_payload["user"]["email"]) == (
            slug,
            role,
            bob.user.email,
        )
    assert bob.client.get("/api/v1/me").json()["organisation"]["slug"] == "acme"


def test_a_foreign_and_an_unknown_organisation_look_the_same(bob: Person, charlie: Person) -> None:
    responses = [bob.client.get("/api/v1/me", headers={"X-Organisation": slug}) for slug in ("other", "nowhere")]
    assert [response.status_code for response in responses] == [404, 404]
    first, second = (response.json()["error"] for response in responses)
    assert first["message"] == second["message"]


def test_a_changed_role_and_a_lost_membership_count_at_once(alice: Person, bob: Person) -> None:
    body = {"name": "new"}
    add = lambda: bob.client.post("/api/v1/sources", body, content_type="application/json").status_code  # noqa: E731
    assert add() == 403
    membership_create(organisation=bob.organisation, user=bob.user, role=Role.EDITOR)
    assert add() == 201
    Membership.objects.filter(user=bob.user).delete()
    assert add() == 404


def test_a_stream_can_ask_whether_its_reader_may_still_read(alice: Person, bob: Person) -> None:
    organisation = bob.organisation
    person = Caller(organisation.pk, organisation.slug, Role.VIEWER, user_id=bob.user.pk)
    assert caller_is_current(person)
    membership_create(organisation=organisation, user=bob.user, role=Role.EDITOR)
    assert caller_is_current(person)
    user_deactivate(user=bob.user)
    assert not caller_is_current(person)
    row = ApiKey.objects.get(name="alice")
    program = Caller(organisation.pk, organisation.slug, Role.OWNER, api_key_id=row.pk)
    assert caller_is_current(program)
    ApiKey.objects.filter(pk=row.pk).update(role=Role.VIEWER)
    assert not caller_is_current(program)


def stream_request(person: Person) -> ApiRequest:
    """Return the request of a stream in a signed-in person's browser."""
    request = ApiRequest()
    request.session = SessionStore(person.client.cookies[settings.SESSION_COOKIE_NAME].value)
    request.caller = Caller(person.organisation.pk, person.organisation.slug, person.role, user_id=person.user.pk)
    return request


@pytest.mark.django_db(transaction=True)
def test_signing_out_and_a_new_password_end_the_streams_of_a_session(alice: Person, bob: Person) -> None:
    signed_in, other = stream_request(alice), stream_request(bob)
    allowed = async_to_sync(stream_allowed)
    assert (allowed(signed_in), allowed(other)) == (True, True)
    alice.client.post("/accounts/sign-out")
    password_set(user=bob.user, password="quite another long sentence")
    assert (allowed(signed_in), allowed(other)) == (False, False)


def test_the_command_prints_a_key_of_an_admin_alone(acme: Organisation, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("api_key_create", "--organisation", "acme", "--name", "bench")
    printed = capsys.readouterr().out
    assert printed.startswith("rk_")
    assert printed.count("\n") == 1
    assert me(printed.strip()).json()["role"] == "admin"


def test_commands_say_plainly_what_is_wrong(acme: Organisation) -> None:
    with pytest.raises(CommandError, match="no organisation 'nowhere'"):
        call_command("api_key_create", "--organisation", "nowhere", "--name", "x")
    with pytest.raises(CommandError, match="already"):
        call_command("organisation_create", "acme")
    with pytest.raises(CommandError, match="needs a name"):
        call_command("api_key_create", "--organisation", "acme", "--name", " ")


def test_a_new_organisation_can_be_used_at_once(db: Any, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("organisation_create", "beta", "--name", "Beta")
    assert capsys.readouterr().out == "beta\n"
    organisation = Organisation.objects.get(slug="beta")
    assert organisation.bots.get().slug == "default"
    assert organisation.sources.count() == 1
