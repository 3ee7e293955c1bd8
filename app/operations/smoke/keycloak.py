"""Create and remove a person in the stack's Keycloak with its admin API, through the proxy."""

from typing import Any

import urllib3

from app.operations.smoke.names import PERSON, person_email, person_name
from app.operations.smoke.steps import Failed

GROUP = "refdesk-editors"
PATIENCE_S = 30.0


class Keycloak:
    """The realm `refdesk`; `address` is the public address of Refdesk."""

    def __init__(self, address: str, admin: str, password: str, *, insecure: bool) -> None:
        self.base, self._admin, self._password = f"{address}/auth", admin, password
        if insecure:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._http = urllib3.PoolManager(
            retries=False, timeout=PATIENCE_S, cert_reqs="CERT_NONE" if insecure else "CERT_REQUIRED"
        )

    def person_add(self, word: str, password: str) -> None:
        """Add a person who may edit in the first organisation, by the rule of the group."""
        row = {
            "username": person_name(word), "email": person_email(word), "emailVerified": True, "enabled": True,
            "firstName": "Smoke", "lastName": "Test", "groups": [f"/{GROUP}"],
            "credentials": [{"type": "password", "value": password, "temporary": False}],
        }  # fmt: skip
        self._call("POST", "/users", row)

    def person_remove(self, word: str) -> None:
        for row in self._call("GET", f"/users?exact=true&username={person_name(word)}").json():
            self._call("DELETE", f"/users/{row['id']}")

    def others(self) -> list[str]:
        """Return people whom smoke did not make, 1,000 at most."""
        names = [str(row["username"]) for row in self._call("GET", "/users?max=1000").json()]
        return [name for name in names if not name.startswith(PERSON)]

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
        # A token is valid for a minute, so each call requests a new one.
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
