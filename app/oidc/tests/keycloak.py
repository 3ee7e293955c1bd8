"""A realm from our own file on a real Keycloak, for one test module."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.servers import server_url

REALM_FILE = Path(__file__).resolve().parents[3] / "compose" / "keycloak" / "realm.json"
SECRET = "a secret of this realm alone"
PASSWORD = "a long password at Keycloak"
URL = server_url("KEYCLOAK")

needs_keycloak = pytest.mark.server("KEYCLOAK")


def placeholders_filled(text: str, values: Mapping[str, str]) -> str:
    """Fill `${NAME}` and `${NAME:default}`, as Keycloak does when it imports a file."""

    def value(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(":")
        return values.get(name) or default

    return re.sub(r"\$\{([^}]+)\}", value, text)


class Realm:
    """The realm `refdesk` of compose/keycloak/realm.json under a name of its own."""

    def __init__(self, refdesk: str) -> None:
        self.name = f"refdesk-{uuid4().hex[:8]}"
        self.issuer = f"{URL}/realms/{self.name}"
        values = {
            "REFDESK_URL": refdesk, "KEYCLOAK_REFDESK_URL": refdesk, "REFDESK_OIDC_CLIENT_SECRET": SECRET
        }  # fmt: skip
        realm = json.loads(placeholders_filled(REALM_FILE.read_text(), values))
        self._call("POST", "/admin/realms", {**realm, "realm": self.name})

    def remove(self) -> None:
        self._call("DELETE", self._at(""))

    def user_add(self, name: str, *groups: str, verified: bool = True) -> str:
        """Add a person with the address NAME@example.org and return their id."""
        row = {
            "username": name, "email": f"{name}@example.org", "emailVerified": verified, "enabled": True,
            "firstName": name.title(), "lastName": "Person", "groups": [f"/{group}" for group in groups],
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }  # fmt: skip
        place = self._call("POST", self._at("/users"), row).headers["Location"]
        return place.rsplit("/", 1)[1]

    def group_leave(self, user: str, group: str) -> None:
        groups = self._call("GET", self._at(f"/users/{user}/groups")).json()
        group_id = next(row["id"] for row in groups if row["name"] == group)
        self._call("DELETE", self._at(f"/users/{user}/groups/{group_id}"))

    def sign_out(self, user: str) -> None:
        """End a person's sessions as an administrator."""
        self._call("POST", self._at(f"/users/{user}/logout"))

    def program_add(self, name: str, *, for_refdesk: bool) -> None:
        """Add a client for a program that signs people in itself; `for_refdesk`: its tokens name our audience."""
        mapper = {
            "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": "refdesk", "access.token.claim": "true"},
        }  # fmt: skip
        row = {
            "clientId": name, "publicClient": True, "directAccessGrantsEnabled": True,
            "protocolMappers": [mapper] if for_refdesk else [],
        }  # fmt: skip
        self._call("POST", self._at("/clients"), row)

    def access_token(self, program: str, user: str) -> str:
        form = {
            "grant_type": "password", "client_id": program, "username": user, "password": PASSWORD, "scope": "openid"
        }  # fmt: skip
        response = requests.post(f"{self.issuer}/protocol/openid-connect/token", data=form, timeout=60)
        response.raise_for_status()
        return str(response.json()["access_token"])

    def _at(self, path: str) -> str:
        return f"/admin/realms/{self.name}{path}"

    def _call(self, method: str, path: str, body: Any = None) -> requests.Response:
        response = requests.request(
            method, URL + path, json=body, headers={"Authorization": f"Bearer {_admin_token()}"}, timeout=60
        )
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response


def _admin_token() -> str:
    # Valid for a minute, so requested each time.
    form = {
        "grant_type": "password", "client_id": "admin-cli",
        "username": os.environ["REFDESK_TEST_KEYCLOAK_ADMIN"],
        "password": os.environ["REFDESK_TEST_KEYCLOAK_PASSWORD"],
    }  # fmt: skip
    response = requests.post(f"{URL}/realms/master/protocol/openid-connect/token", data=form, timeout=60)
    response.raise_for_status()
    return str(response.json()["access_token"])
