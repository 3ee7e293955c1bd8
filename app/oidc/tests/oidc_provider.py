"""A certified OpenID provider in a process of its own, and a browser that walks through it by redirects."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from django.core.cache import cache
from django.test import Client

from app.oidc.bearer import _callers
from app.oidc.discovery import provider_forget

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


class OidcProvider:
    def __init__(self) -> None:
        # Not `npm ci`: it refuses a lock file without what other platforms need.
        install = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=FOLDER, check=True, timeout=150)
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
        """Set the provider's behaviour from now on; without arguments it is honest."""
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


@pytest.fixture(scope="module")
def certified() -> Iterator[OidcProvider]:
    provider = OidcProvider()
    yield provider
    provider.stop()


@pytest.fixture
def provider(certified: OidcProvider, settings: Any, db: Any) -> OidcProvider:
    """Configure the honest provider, with empty caches."""
    certified.control()
    settings.OIDC_ISSUER = certified.issuer
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.PUBLIC_URL = PUBLIC
    provider_forget()
    cache.clear()
    _callers.clear()
    return certified


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
