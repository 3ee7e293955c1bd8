import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from app.accounts import auth
from app.accounts.choices import Role, Scope
from app.accounts.key_hash import secret_hash
from app.accounts.keys import ALL_SCOPES, api_key_create, api_key_revoke, api_key_rotate, expiry_read
from app.accounts.models import ApiKey, Organisation
from app.accounts.services import organisation_suspend
from app.errors import RefdeskError
from app.lib.tenancy import scope_enter_everything
from tests.people import Person


@pytest.fixture(autouse=True)
def _nobody_remembered() -> None:
    auth._callers.clear()


def me_status(key: str) -> int:
    auth._callers.clear()
    return Client().get("/api/v1/me", headers={"Authorization": f"Bearer {key}"}).status_code


def call(method: str, path: str, key: str, body: Any = None) -> Any:
    auth._callers.clear()
    return Client().generic(
        method,
        f"/api/v1{path}",
        b"" if body is None else orjson.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )


def admin_key(organisation: Organisation, *scopes: Scope, role: Role = Role.ADMIN) -> tuple[ApiKey, str]:
    return api_key_create(organisation=organisation, name="admin", role=role, scopes=scopes or ALL_SCOPES)


def test_me_names_the_scopes_of_the_key(acme: Organisation) -> None:
    _, key = admin_key(acme, Scope.SEARCH, Scope.CHAT)
    assert call("GET", "/me", key).json()["scopes"] == ["chat", "search"]


def test_a_route_outside_the_scopes_is_refused_with_the_scope_it_wants(acme: Organisation) -> None:
    _, key = admin_key(acme, Scope.CHAT)
    response = call("GET", "/api-keys", key)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "scope_missing")
    assert response.json()["error"]["details"]["scope"] == "admin"


def test_the_role_limits_a_key_with_every_scope(acme: Organisation) -> None:
    _, key = admin_key(acme, role=Role.EDITOR)
    assert call("GET", "/api-keys", key).json()["error"]["code"] == "not_allowed"


def test_a_key_is_made_listed_rotated_and_revoked_by_the_api(acme: Organisation) -> None:
    _, key = admin_key(acme)
    body = {"name": "Website", "role": "viewer", "scopes": ["chat", "search"], "plan": None}
    response = call("POST", "/api-keys", key, body)
    assert response.status_code == 201
    new = response.json()
    assert new["key"].startswith(new["prefix"])
    assert {name: new[name] for name in body} == body
    assert me_status(new["key"]) == 200
    row = call("GET", f"/api-keys/{new['id']}", key).json()
    assert "key" not in row
    assert row["last_used"] is not None
    assert new["key"] not in call("GET", "/api-keys", key).content.decode()
    rotated = call("POST", f"/api-keys/{new['id']}/rotate", key, {"overlap_days": 2}).json()
    assert {name: rotated[name] for name in body} == body
    assert (me_status(new["key"]), me_status(rotated["key"])) == (200, 200)
    old = call("GET", f"/api-keys/{new['id']}", key).json()
    assert (old["state"], old["replaced_by"]) == ("expiring", rotated["id"])
    assert call("DELETE", f"/api-keys/{rotated['id']}", key).status_code == 204
    assert (me_status(new["key"]), me_status(rotated["key"])) == (200, 401)
    states = {item["id"]: item["state"] for item in call("GET", "/api-keys", key).json()["items"]}
    assert (states[new["id"]], states[rotated["id"]]) == ("expiring", "revoked")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "role": "operator"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "expires": "2001-01-01T00:00:00Z"},
        {"name": "x", "expires": "2101-01-01T00:00:00"},
        {"name": "x", "key": "rk_mine"},
        {"name": "x", "organisation": "other"},
        {"name": "x", "revoked": None},
    ],
)
def test_a_body_that_makes_no_key_is_refused(acme: Organisation, body: dict[str, Any]) -> None:
    _, key = admin_key(acme)
    assert call("POST", "/api-keys", key, body).status_code == 422
    assert ApiKey.objects.count() == 1


def test_a_key_makes_none_with_more_than_it_has(acme: Organisation) -> None:
    _, key = admin_key(acme, Scope.ADMIN, Scope.CHAT)
    for body in ({"name": "x", "role": "owner", "scopes": ["chat"]}, {"name": "x", "scopes": ["chat", "search"]}):
        assert call("POST", "/api-keys", key, body).status_code == 403
    assert call("POST", "/api-keys", key, {"name": "x"}).status_code == 403  # all scopes by default
    assert call("POST", "/api-keys", key, {"name": "x", "scopes": ["chat"]}).status_code == 201


@pytest.mark.parametrize("above", [{"role": Role.OWNER}, {"scopes": [Scope.CHAT, Scope.BOTS_WRITE]}])
def test_a_key_neither_copies_nor_ends_one_that_may_do_more(acme: Organisation, above: Any) -> None:
    # Rotating a more powerful key would hand its rights to the caller.
    _, key = admin_key(acme, Scope.ADMIN, Scope.CHAT)
    target, secret = api_key_create(organisation=acme, name="above", **{"scopes": [Scope.CHAT], **above})
    assert call("POST", f"/api-keys/{target.pk}/rotate", key, {}).status_code == 403
    assert call("DELETE", f"/api-keys/{target.pk}", key).status_code == 403
    assert me_status(secret) == 200


def test_a_person_s_session_makes_keys_too(alice: Person, bob: Person) -> None:
    make = {"path": "/api/v1/api-keys", "data": {"name": "x"}, "content_type": "application/json"}
    assert alice.client.post(**make).status_code == 201
    assert ApiKey.objects.get(name="x").created_by == alice.user
    assert bob.client.post(**make).status_code == 403


def test_a_plan_is_the_operator_s_to_give_and_stays_with_a_rotation(alice: Person) -> None:
    request: dict[str, Any] = {
        "path": "/api/v1/api-keys",
        "data": {"name": "x", "plan": "free"},
        "content_type": "application/json",
    }
    assert alice.client.post(**request).status_code == 403
    alice.user.is_operator = True
    alice.user.save()
    response = alice.client.post(**request)
    assert (response.status_code, response.json()["plan"]) == (201, "free")
    assert alice.client.post(**{**request, "data": {"name": "x", "plan": "gold"}}).status_code == 422
    rotated = alice.client.post(f"/api/v1/api-keys/{response.json()['id']}/rotate", {}, content_type="application/json")
    assert rotated.json()["plan"] == "free"


def test_rotation_without_overlap_ends_the_old_key_at_once(acme: Organisation) -> None:
    row, old = admin_key(acme)
    replacement, new = api_key_rotate(organisation=acme.pk, api_key=row.pk)
    row.refresh_from_db()
    assert (me_status(old), me_status(new)) == (401, 200)
    assert (row.state, row.replaced_by) == ("expired", replacement)


def test_a_rotated_key_lives_as_long_again_and_the_old_one_no_longer_than_before(acme: Organisation) -> None:
    row, _ = api_key_create(organisation=acme, name="x", expires=timezone.now() + timedelta(days=10))
    ApiKey.objects.filter(pk=row.pk).update(created=timezone.now() - timedelta(days=20))
    row.refresh_from_db()
    end = row.expires
    replacement, _ = api_key_rotate(organisation=acme.pk, api_key=row.pk, overlap_days=30)
    row.refresh_from_db()
    assert row.expires == end
    assert replacement.expires is not None
    assert abs(replacement.expires - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_what_is_over_or_replaced_is_not_rotated(acme: Organisation, other: Organisation) -> None:
    replaced, _ = admin_key(acme)
    api_key_rotate(organisation=acme.pk, api_key=replaced.pk, overlap_days=1)
    revoked, _ = admin_key(acme)
    api_key_revoke(organisation=acme.pk, api_key=revoked.pk)
    expired, _ = admin_key(acme)
    ApiKey.objects.filter(pk=expired.pk).update(expires=timezone.now() - timedelta(seconds=1))
    for row in (replaced, revoked, expired):
        with pytest.raises(RefdeskError, match="already"):
            api_key_rotate(organisation=acme.pk, api_key=row.pk)
    sound, _ = admin_key(acme)
    for days in (-1, 31):
        with pytest.raises(RefdeskError, match="0 to 30"):
            api_key_rotate(organisation=acme.pk, api_key=sound.pk, overlap_days=days)
    with pytest.raises(RefdeskError, match="not_found"):
        api_key_rotate(organisation=other.pk, api_key=sound.pk)


@pytest.mark.django_db(transaction=True)
def test_ten_rotations_at_once_make_one_key(acme: Organisation) -> None:
    row, _ = admin_key(acme)

    def rotate(_: int) -> str:
        scope_enter_everything()
        try:
            api_key_rotate(organisation=acme.pk, api_key=row.pk, overlap_days=1)
        except RefdeskError as error:
            return error.code
        finally:
            connections.close_all()
        return "rotated"

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(rotate, range(10))) == ["conflict"] * 9 + ["rotated"]
    assert ApiKey.objects.count() == 2


def test_states_say_what_to_do_next(acme: Organisation) -> None:
    row, _ = admin_key(acme)
    states = []
    for days in (None, 8, 6, -1):
        row.expires = None if days is None else timezone.now() + timedelta(days=days)
        states.append(row.state)
    assert states == ["valid", "valid", "expiring", "expired"]


# The only place for a key is the header.


@pytest.mark.parametrize("name", ["key", "api_key", "token", "access_token", "authorization", "Authorization"])
def test_a_key_elsewhere_is_no_key_and_stands_in_no_log(
    acme: Organisation, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    row, key = admin_key(acme)
    caplog.set_level(logging.INFO)  # as configured on a box
    client = Client()
    assert client.get(f"/api/v1/me?{name}={key}").status_code == 401
    assert client.get(f"/api/v1/{key}").status_code == 404
    assert client.get(f"/{name}/{key}").status_code == 404
    assert client.post("/api/v1/search", {name: key, "query": "x"}, content_type="application/json").status_code == 401
    assert client.get("/api/v1/me", headers={"X-API-Key": key}).status_code == 401
    assert client.get("/api/v1/me", headers={"Authorization": f"Basic {key}"}).status_code == 401
    client.cookies[name] = key
    assert client.get("/api/v1/me").status_code == 401
    row.refresh_from_db()
    assert row.last_used is None
    assert key not in caplog.text


def test_the_key_is_nowhere_in_the_database(acme: Organisation) -> None:
    _, key = admin_key(acme)
    assert me_status(key) == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_apikey::text FROM accounts_apikey")
        text = str(cursor.fetchall())
    assert key not in text
    assert key[9:] not in text
    assert secret_hash(key) in text


# Suspension


def test_the_keys_of_a_suspended_organisation_are_refused_until_it_is_opened(acme: Organisation) -> None:
    _, key = admin_key(acme)
    assert me_status(key) == 200
    organisation_suspend(organisation=acme, suspended=True)
    response = call("GET", "/me", key)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "organisation_suspended")
    organisation_suspend(organisation=acme, suspended=False)
    assert me_status(key) == 200


def test_a_process_that_remembers_a_key_notices_a_suspension_within_two_seconds(acme: Organisation) -> None:
    _, key = admin_key(acme)
    headers = {"Authorization": f"Bearer {key}"}
    assert Client().get("/api/v1/me", headers=headers).status_code == 200
    organisation_suspend(organisation=acme, suspended=True)
    started = time.monotonic()
    while Client().get("/api/v1/me", headers=headers).status_code == 200:
        assert time.monotonic() - started < 10  # two seconds, and the delay of a busy machine
        time.sleep(0.05)


# Commands


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command(*arguments)
    return capsys.readouterr().out


def test_a_command_makes_a_narrow_key(acme: Organisation, capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        "api_key_create",
        "--organisation",
        "acme",
        "--name",
        "x",
        "--scope",
        "chat",
        "search",
        "--scope",
        "admin",
    )
    key = printed(capsys, *command, "--plan", "free", "--expires", "90d", "--role", "viewer").strip()
    row = ApiKey.objects.get(key_hash=secret_hash(key))
    assert (row.scopes, row.plan_id, row.role) == (["chat", "search", "admin"], "free", "viewer")
    assert row.expires is not None
    assert abs(row.expires - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)


def test_a_command_rotates_and_revokes_by_prefix_or_id(acme: Organisation, capsys: pytest.CaptureFixture[str]) -> None:
    row, old = admin_key(acme)
    new = printed(capsys, "api_key_rotate", row.prefix, "--organisation", "acme", "--overlap", "3").strip()
    assert (me_status(old), me_status(new)) == (200, 200)
    assert "Revoked" in printed(capsys, "api_key_revoke", str(row.pk), "--organisation", "acme")
    assert (me_status(old), me_status(new)) == (401, 200)


def test_commands_on_keys_say_plainly_what_is_wrong(acme: Organisation, other: Organisation) -> None:
    row, _ = admin_key(acme)
    make = ("api_key_create", "--organisation", "acme", "--name", "x")
    for arguments, message in (
        ((*make, "--scope", "everything"), "invalid choice"),
        ((*make, "--plan", "gold"), "no plan 'gold'"),
        ((*make, "--expires", "soon"), "is no time"),
        ((*make, "--expires", "2001-01-01"), "in the future"),
        (("api_key_revoke", row.prefix, "--organisation", "other"), "no key"),
        (("api_key_revoke", "", "--organisation", "acme"), "no key"),
        (("api_key_rotate", row.prefix, "--organisation", "acme", "--overlap", "31"), "0 to 30"),
    ):
        with pytest.raises(CommandError, match=message):
            call_command(*arguments)
    assert ApiKey.objects.count() == 1


def test_a_day_without_a_zone_is_in_utc() -> None:
    assert expiry_read("2101-01-31").isoformat() == "2101-01-31T00:00:00+00:00"
