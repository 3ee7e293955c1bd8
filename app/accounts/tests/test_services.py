from django.test import Client

from app.accounts.choices import Role
from app.accounts.models import Organisation
from app.accounts.services import api_key_create, api_key_revoke
from app.conftest import Person


def test_a_key_says_who_it_is_and_for_which_organisation(alice: Person) -> None:
    answer = Client().get("/api/v1/me", headers=alice.headers)
    assert answer.status_code == 200
    assert answer.json()["organisation"]["slug"] == "acme"
    assert answer.json()["role"] == "owner"


def test_a_revoked_key_is_refused(acme: Organisation) -> None:
    row, key = api_key_create(organisation=acme, name="program", role=Role.VIEWER)
    api_key_revoke(organisation=acme.pk, api_key=row.pk)
    answer = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "bad_api_key"


def test_nobody_is_asked_to_sign_in_by_the_one_error_shape() -> None:
    answer = Client().get("/api/v1/me")
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"] == "not_signed_in"
    assert error["request_id"] == answer["X-Request-ID"]
