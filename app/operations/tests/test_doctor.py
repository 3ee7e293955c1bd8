"""The doctor: it finds faults, advises on them, and finds none on a healthy box."""

import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.llm.routing import endpoints_forget
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.llm.tests.real_servers import tiny_ollama
from app.operations.doctor import services
from app.operations.doctor.findings import Finding, State, found
from tests.box.box_process import ELSEWHERE
from tests.box.real_box import ROOT, WholeBox

NOBODY = "http://127.0.0.1:9"


def doctor(box: WholeBox, *arguments: str, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Return status, and the last finding of each name."""
    done = subprocess.run(
        [sys.executable, "-m", "app.operations.doctor", "--json", *arguments],
        env=box._environment(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] == (done.returncode == 0)
    return done.returncode, {one["name"]: one for one in said["findings"]}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("doctor") / "data")
    try:
        box.start(REFDESK_LLM_URL=ELSEWHERE["REFDESK_LLM_URL"])
        yield box
    finally:
        box.stop()


def test_a_box_that_is_well_has_no_problem(box: WholeBox) -> None:
    status, findings = doctor(box)
    assert {name: one for name, one in findings.items() if one["state"] == "problem"} == {}
    assert status == 0
    engines = {"database", "cache", "search", "embeddings", "tables", "embedding model"}
    machine = {"python", "system", "processor", "memory", "disk", "data folder", "clock", "port", "packages"}
    assert engines | machine | {"settings", "model", "mail", "address"} <= set(findings)


def test_every_finding_that_is_not_well_says_what_to_do(box: WholeBox) -> None:
    _, findings = doctor(box, REFDESK_LLM_URL=NOBODY)
    assert findings["model"]["state"] == "warning"
    assert [name for name, one in findings.items() if (one["state"] == "ok") != (not one["todo"])] == []


@pytest.mark.parametrize(("engine", "name"), [("valkey", "cache"), ("qdrant", "search"), ("embeddings", "embeddings")])
def test_an_engine_that_hangs_is_named(box: WholeBox, engine: str, name: str) -> None:
    pid = box.pid(engine)
    os.kill(pid, signal.SIGSTOP)
    try:
        status, findings = doctor(box, "--services")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert status == 1
    assert findings[name]["state"] == "problem"
    assert findings["database"]["state"] == "ok"


def test_a_secret_that_others_can_read_is_a_problem(box: WholeBox) -> None:
    secret = box.folder / "secrets" / "secret_key"
    box.folder.chmod(0o755)
    secret.chmod(0o644)
    try:
        assert doctor(box, "--machine")[1]["data folder"]["text"] == f"{secret} can be read by others"
    finally:
        secret.chmod(0o600)
        box.folder.chmod(0o700)
    assert doctor(box, "--machine")[1]["data folder"]["state"] == "ok"


def test_credentials_with_an_older_or_an_unknown_key_are_told(box: WholeBox) -> None:
    assert doctor(box, "--services")[1]["credentials"]["text"] == "none are stored"
    columns = "(id, purpose, label, key_id, sealed, changed, created)"
    box.sql(f"INSERT INTO secrets_secret {columns} VALUES (gen_random_uuid(), 'a.b', 'x', '0', '', now(), now())")
    try:
        finding = doctor(box, "--services")[1]["credentials"]
    finally:
        box.sql("DELETE FROM secrets_secret")
    assert (finding["state"], finding["text"]) == ("problem", "1 of 1 have a key that is not in REFDESK_SECRETS_KEYS")


def test_tables_of_another_version_are_a_problem(box: WholeBox) -> None:
    box.sql("DELETE FROM django_migrations WHERE app = 'privacy'")
    assert doctor(box, "--services")[1]["tables"]["state"] == "problem"
    box.manage("migrate", "privacy", "--fake")
    assert doctor(box, "--services")[1]["tables"]["state"] == "ok"


def test_a_box_that_does_not_run_is_no_problem_but_a_taken_port_is(tmp_path: Path) -> None:
    box = WholeBox(tmp_path / "data")
    status, findings = doctor(box)
    assert (status, findings["refdesk"]["state"]) == (0, "warning")
    with socket.create_server(("127.0.0.1", box.port)):
        status, findings = doctor(box)
    assert (status, findings["port"]["state"]) == (1, "problem")
    assert not box.folder.exists()


def test_a_restore_that_was_cut_short_is_a_problem(tmp_path: Path) -> None:
    box = WholeBox(tmp_path / "data")
    box.folder.mkdir()
    (box.folder / "restore-unfinished").write_text("0\n")
    assert "cut short" in doctor(box, "--machine")[1]["data folder"]["text"]


@pytest.mark.parametrize("wrong", [{"REFDESK_PROT": "8000"}, {"REFDESK_PORT": "many"}])
def test_a_wrong_setting_is_the_one_thing_it_says(tmp_path: Path, wrong: dict[str, str]) -> None:
    status, findings = doctor(WholeBox(tmp_path / "data"), **wrong)
    assert (status, list(findings)) == (1, ["settings"])
    assert next(iter(wrong)) in findings["settings"]["text"]


def test_it_needs_no_packages_to_look_at_a_machine(tmp_path: Path) -> None:
    # The Python that the virtual environment was made from.
    command = [sys._base_executable, "-S", "-m", "app.operations.doctor"]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], "REFDESK_DATA": str(tmp_path / "data")}, cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "ok       python" in done.stdout
    assert "PROBLEM  packages" in done.stdout
    assert done.stderr == ""


def one(check: Any) -> Finding:
    findings = list(found("check", check))
    assert len(findings) == 1
    return findings[0]


def test_a_mail_server_that_is_away_is_a_problem(settings: Any) -> None:
    settings.SMTP_URL, settings.MAIL_FROM = "smtp://desk:secret@127.0.0.1:9", "desk@example.org"
    finding = one(services.mail_server_check)
    assert finding.state == State.PROBLEM
    assert "secret" not in str(finding)


def test_a_provider_that_is_away_is_a_problem(settings: Any) -> None:
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = f"{NOBODY}/realms/refdesk", "refdesk"
    assert one(services.oidc_check).state == State.PROBLEM


def test_a_file_store_that_is_away_is_a_problem(settings: Any) -> None:
    settings.S3_URL, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY = NOBODY, "key", "secret"
    findings = {one.name: one for one in services.engines_check()}
    assert findings["files"].state == State.PROBLEM


def test_a_host_that_no_name_service_knows_is_a_problem(settings: Any) -> None:
    settings.PUBLIC_URL = "https://refdesk.invalid"
    assert one(services.address_check).state == State.PROBLEM


@pytest.mark.parametrize(("context", "state"), [(4096, State.WARNING), (8192, State.OK)])
def test_a_model_with_little_context_is_a_warning(settings: Any, context: int, state: State) -> None:
    with ScriptedModel() as model:
        model.script(Script(context=context))
        settings.LLM_URL, settings.LLM_MODEL = model.url, ""
        endpoints_forget()
        finding = one(services.model_check)
    endpoints_forget()
    assert (finding.state, f"{context} tokens of context" in finding.text) == (state, True)


def test_an_ollama_without_the_model_is_told_with_what_it_has(settings: Any) -> None:
    with tiny_ollama() as server:
        name = server.make("doctor", num_ctx=2048)
        settings.LLM_URL, settings.LLM_MODEL = server.endpoint.url, "nobody-has-this"
        endpoints_forget()
        missing = one(services.model_check)
        settings.LLM_MODEL = name
        small = one(services.model_check)
    endpoints_forget()
    assert missing.state == small.state == State.WARNING
    assert "nobody-has-this is not there (" in missing.text
    assert f"{name}:latest" in missing.text
    assert "models pull nobody-has-this" in missing.todo
    assert "2048 tokens of context until it is loaded" in small.text
    assert "a whole turn takes about 6000" in small.text


@pytest.mark.parametrize(("status", "said"), [(401, "refuses the key (HTTP 401)"), (500, "does not answer (HTTP 500)")])
def test_a_model_server_that_refuses_is_told_from_one_that_is_away(settings: Any, status: int, said: str) -> None:
    with ScriptedModel() as model:
        model.script(Script(models_status=status))
        settings.LLM_URL, settings.LLM_MODEL = model.url, ""
        endpoints_forget()
        finding = one(services.model_check)
    endpoints_forget()
    assert (finding.state, said in finding.text) == (State.WARNING, True)


@contextmanager
def tls_server(folder: Path, days: int) -> Iterator[tuple[int, Path]]:
    """Return the port of a server with a certificate for localhost, and the certificate, which is its own authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def serve(server: socket.socket) -> None:
        while True:
            try:
                context.wrap_socket(server.accept()[0], server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1], path
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("days", "state"), [(90, State.OK), (3, State.WARNING)])
def test_a_certificate_that_ends_soon_is_a_warning(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, state: State
) -> None:
    with tls_server(tmp_path, days) as (port, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        settings.PUBLIC_URL = f"https://localhost:{port}"
        assert (one(services.address_check).state, one(services.address_check).name) == (state, "tls")


def test_a_certificate_that_browsers_refuse_is_a_problem(settings: Any, tmp_path: Path) -> None:
    with tls_server(tmp_path, 90) as (port, _):
        settings.PUBLIC_URL = f"https://localhost:{port}"
        assert one(services.address_check).state == State.PROBLEM


def test_a_check_that_breaks_is_a_finding_and_shows_no_secret() -> None:
    def broken() -> list[Finding]:
        raise ValueError("postgresql://refdesk:secret@host")

    finding = one(broken)
    assert finding.state == State.PROBLEM
    assert "secret" not in str(finding)
