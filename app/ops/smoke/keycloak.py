"""A person of the stack's Keycloak, made and removed by its admin API, through the proxy like everybody else."""

import secrets
from typing import Any

import urllib3

from app.ops.smoke.steps import Failed

GROUP = "refdesk-editors"
PREFIX = "refdesk-smoke-"
# No mail can ever reach it.
DOMAIN = "smoke.invalid"
PATIENCE_S = 30.0


class Keycloak:
    """The realm `refdesk`; `address` is Refdesk's public one."""

    def __init__(self, address: str, admin: str, password: str, *, insecure: bool) -> None:
        self.base, self._admin, self._password = f"{address}/auth", admin, password
        self._http = urllib3.PoolManager(
            retries=False, timeout=PATIENCE_S, cert_reqs="CERT_NONE" if insecure else "CERT_REQUIRED"
        )

    def person_add(self, name: str, password: str) -> str:
        """May edit in the first organisation, by the rule of the group; gives their id."""
        row = {
            "username": name, "email": f"{name}@{DOMAIN}", "emailVerified": True, "enabled": True,
            "firstName": "Smoke", "lastName": "Test", "groups": [f"/{GROUP}"],
            "credentials": [{"type": "password", "value": password, "temporary": False}],
        }  # fmt: skip
        return self._call("POST", "/users", row).headers["Location"].rsplit("/", 1)[1]

    def person_remove(self, name: str) -> None:
        for row in self._call("GET", f"/users?exact=true&username={name}").json():
            self._call("DELETE", f"/users/{row['id']}")

    def names(self) -> list[str]:
        return [str(row["username"]) for row in self._call("GET", "/users?max=1000").json()]

    def _call(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        answer = self._http.request(
            method,
            f"{self.base}/admin/realms/refdesk{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._token()}"},
        )
        if answer.status >= 400:
            raise Failed(f"Keycloak refused {method} {path} with {answer.status}: {answer.data[:200]!r}")
        return answer

    def _token(self) -> str:
        # Lives a minute: asked for anew each time.
        form = {
            "grant_type": "password", "client_id": "admin-cli", "username": self._admin, "password": self._password
        }  # fmt: skip
        answer = self._http.request(
            "POST", f"{self.base}/realms/master/protocol/openid-connect/token", fields=form, encode_multipart=False
        )
        if answer.status == 401:
            raise Failed(
                "Keycloak does not take its admin's first password",
                "It was changed there. Give the new one: --keycloak-admin NAME --keycloak-password-file FILE.",
            )
        if answer.status != 200:
            raise Failed(f"Keycloak gave no token: {answer.status} {answer.data[:200]!r}", "scripts/logs keycloak")
        return str(answer.json()["access_token"])


def name_new() -> str:
    return f"{PREFIX}{secrets.token_hex(4)}"


def password_new() -> str:
    return secrets.token_urlsafe(24)
