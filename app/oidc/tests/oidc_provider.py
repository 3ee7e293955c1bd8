"""A certified OpenID provider in a process of its own, and a browser that walks through it by redirects."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from django.test import Client

FOLDER = Path(__file__).parent / "provider"
CLIENT_ID, CLIENT_SECRET = "refdesk", "a secret of these tests alone"
PUBLIC = "http://localhost:8000"
CALLBACK = f"{PUBLIC}/accounts/oidc/callback"
BEGIN = "/accounts/oidc/sign-in"
GROUPS = ["staff"]
ADA = {"email": "ada@example.org", "email_verified": True, "name": "Ada", "groups": GROUPS}

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="there is no Node: apt install nodejs npm"
)


def packages_install() -> None:
    """Install the provider's packages; the processes of a run take turns."""
    # `npm ci` would refuse a lock file without the packages of other platforms.
    command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
    with (FOLDER / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        subprocess.run(command, cwd=FOLDER, check=True, timeout=150)


class OidcProvider:
    def __init__(self) -> None:
        packages_install()
        self.process = subprocess.Popen(
            ["node", "server.mjs", CALLBACK, CLIENT_ID, CLIENT_SECRET],
            cwd=FOLDER,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.issuer = self.process.stdout.readline().strip()
        assert self.issuer.startswith("http://127.0.0.1:"), "the provider did not start"

    def control(self, **wishes: Any) -> None:
        """Set the provider's behaviour; without arguments it is honest."""
        wishes.setdefault("person", ADA)
        requests.post(f"{self.issuer}/_control", json=wishes, timeout=30).raise_for_status()

    def mint(self, claims: dict[str, Any], *, key: str = "signing", **header: Any) -> str:
        body = {"claims": {"iss": self.issuer, **claims}, "key": key, "header": header}
        return str(requests.post(f"{self.issuer}/_mint", json=body, timeout=30).json()["token"])

    def request_counts(self) -> dict[str, int]:
        counts: dict[str, int] = requests.get(f"{self.issuer}/_asked", timeout=30).json()
        return counts

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def visitor() -> Client:
    """Return a browser at the public address."""
    return Client(headers={"Host": "localhost:8000"})


def begin(client: Client, path: str = BEGIN) -> str:
    """Press “Sign in with …” and return the address at the provider."""
    response = client.get(path)
    assert response.status_code == 302, response.content.decode()
    return str(response["Location"])


def walk(address: str) -> str:
    """Follow the provider's redirects and return the callback's address without requesting it."""
    with requests.Session() as session:
        for _ in range(10):
            response = session.get(address, allow_redirects=False, timeout=30)
            assert response.status_code in (302, 303), response.text
            address = requests.compat.urljoin(address, response.headers["Location"])
            if address.startswith(CALLBACK):
                return address
    raise AssertionError("the provider redirects for ever")


def query_read(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def changed(address: str, **changes: str | None) -> str:
    """Return an address with other values in its query; None removes one."""
    query = {name: text for name, text in {**query_read(address), **changes}.items() if text is not None}
    return f"{address.split('?')[0]}?{urlencode(query)}"


def finish(client: Client, callback: str) -> Any:
    return client.get(callback.removeprefix(PUBLIC))


def sign_in(client: Client, path: str = BEGIN) -> Any:
    """Sign in and return the response of the callback."""
    return finish(client, walk(begin(client, path)))


def is_in(client: Client) -> bool:
    response = client.get("/api/v1/me")
    return response.status_code == 200 and bool(json.loads(response.content)["user"])
