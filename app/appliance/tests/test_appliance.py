"""Parts of the appliance: the data that migrate makes, beat, the web server's internal requests, init's shares."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Organisation, User
from app.appliance.secrets_files import APP, DATA, MADE, Served, shares, vault_fill
from app.errors import RefdeskError
from app.jobs.models import Job
from app.jobs.worker import Worker
from app.oidc.discovery import provider_forget, provider_get
from tests.engines import ROOT

ISSUER = "https://desk.example.org/auth/realms/refdesk"
WITHIN_S = 30.0


def prepare(capsys: Any) -> str:
    call_command("appliance_prepare")
    return str(capsys.readouterr().out)


@pytest.mark.django_db(transaction=True)
def test_migrate_leaves_a_link_for_the_first_admin_and_rules_for_keycloak_s_groups(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFDESK_SAMPLES", "0")
    shown = prepare(capsys)
    assert f"\n{settings.PUBLIC_URL}/setup/" in shown
    assert not User.objects.exists()
    realm = json.loads((ROOT / "compose/keycloak/realm.json").read_text())
    rules = dict(ClaimRule.objects.values_list("value", "role"))
    assert set(rules) == {group["name"] for group in realm["groups"]}
    assert rules["refdesk-editors"] == Role.EDITOR
    # A rule that was deleted does not come back with the next start.
    ClaimRule.objects.all().delete()
    prepare(capsys)
    assert not ClaimRule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_migrate_refuses_a_key_that_can_be_guessed(settings: Any) -> None:
    settings.SECRET_KEY = "changeme-" * 8
    with pytest.raises(SystemCheckError, match="E001"):
        call_command("appliance_prepare")
    assert not Organisation.objects.exists()


def kinds_queued() -> set[str]:
    return set(Job.objects.filter(state="queued").values_list("kind", flat=True))


@pytest.mark.django_db(transaction=True)
def test_beat_makes_the_jobs_of_the_clock_and_says_that_it_lives(tmp_path: Path) -> None:
    alive, wanted = tmp_path / "alive", {"reconcile", "retention"}
    database = settings.DATABASES["default"]["NAME"]
    url = os.environ["REFDESK_DATABASE_URL"].rpartition("/")[0] + f"/{database}"
    environment = {**os.environ, "REFDESK_DATABASE_URL": url, "REFDESK_ALIVE_FILE": str(alive)}
    with subprocess.Popen([sys.executable, "manage.py", "beat"], cwd=ROOT, env=environment) as beat:
        try:
            deadline = time.monotonic() + WITHIN_S
            while not (alive.exists() and kinds_queued() >= wanted) and time.monotonic() < deadline:
                time.sleep(0.2)
            assert kinds_queued() >= wanted
            assert alive.exists()
        finally:
            beat.send_signal(signal.SIGTERM)
        assert beat.wait(10) == 0


@pytest.mark.parametrize("beats", [True, False])
@pytest.mark.django_db(transaction=True)
def test_a_worker_leaves_the_clock_to_a_beat(settings: Any, beats: bool, qdrant: str) -> None:
    settings.WORKER_BEATS = beats
    before = set(threading.enumerate())
    worker = Worker(send=lambda message: None)
    worker.start()
    started = {thread.name for thread in set(threading.enumerate()) - before}
    # `worker.stop()` would end every lease of this process for good, and later tests read documents.
    for part in (worker._dispatcher, worker._clock):
        if part is not None:
            part.stop()
    assert ("clock" in started) is beats
    assert "dispatcher" in started


class Provider(BaseHTTPRequestHandler):
    """Responds as the public issuer with the addresses of `told`; {here} is its own."""

    told: dict[str, str] = {}

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        document = {name: text.replace("{here}", here) for name, text in self.told.items()}
        body = json.dumps({"issuer": ISSUER, **document}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def inside(settings: Any) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Provider.told = {
        "authorization_endpoint": f"{ISSUER}/auth",
        "token_endpoint": "{here}/token",
        "jwks_uri": "{here}/keys",
    }
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = ISSUER, "refdesk"
    settings.OIDC_INTERNAL_URL = f"http://127.0.0.1:{server.server_port}/auth/realms/refdesk"
    provider_forget()
    yield f"http://127.0.0.1:{server.server_port}"
    provider_forget()
    server.shutdown()
    server.server_close()


@pytest.mark.django_db
def test_the_provider_is_asked_inside_and_people_are_sent_outside(inside: str) -> None:
    provider = provider_get()
    assert (provider.issuer, provider.authorization_endpoint) == (ISSUER, f"{ISSUER}/auth")
    assert provider.token_endpoint == f"{inside}/token"


@pytest.mark.django_db
def test_an_open_address_elsewhere_is_still_refused(inside: str) -> None:
    Provider.told["token_endpoint"] = "http://elsewhere.example.org/token"
    with pytest.raises(RefdeskError, match="cannot be used"):
        provider_get()


def test_the_inner_name_of_the_web_server_is_answered() -> None:
    code = "from app import settings; print(*settings.ALLOWED_HOSTS)"
    environment = {**os.environ, "REFDESK_INTERNAL_HOST": "web", "REFDESK_URL": "https://desk.example.org"}
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert set(said.stdout.split()) == {"desk.example.org", "localhost", "127.0.0.1", "[::1]", "web"}


@pytest.mark.skipif(os.geteuid() != 0, reason="init gives folders to other users, which takes root")
def test_init_makes_secrets_once_and_gives_each_part_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("REFDESK_")]:
        monkeypatch.delenv(name)
    (tmp_path / "vault").mkdir()
    for share in shares(dict.fromkeys(MADE, "x"), Served()):
        (tmp_path / "shares" / share.part).mkdir(parents=True)
    for name in DATA:
        (tmp_path / "volumes" / name).mkdir(parents=True)
    [first] = vault_fill(tmp_path, Served())
    made = {path.name: path.read_text().strip() for path in (tmp_path / "vault").iterdir()}
    assert set(made) == set(MADE)
    assert len(set(made.values())) == len(MADE)
    assert min(map(len, made.values())) >= 43
    assert not any(secret in first for secret in made.values())
    key = tmp_path / "shares" / "app" / "secret_key"
    assert (key.read_text().strip(), key.stat().st_uid, key.stat().st_mode & 0o777) == (made["secret_key"], APP, 0o600)
    assert made["postgres_refdesk"] in (tmp_path / "shares" / "app" / "database_url").read_text()
    assert {path.name for path in (tmp_path / "shares" / "valkey").iterdir()} == {"password", "password.conf"}
    [again] = vault_fill(tmp_path, Served())
    assert {path.name: path.read_text().strip() for path in (tmp_path / "vault").iterdir()} == made
    assert "0 files" in again
