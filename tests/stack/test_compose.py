"""The compose file as rules: what every service has, and each exception with its reason.

Read as text by a YAML parser, so that no Docker is needed. An exception that is no longer needed fails.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.appliance.__main__ import PROGRAMS, TOOLS, read_arguments, tool_command
from app.appliance.incoming_backup import ARRIVED
from app.appliance.secrets_files import APP, MADE, PLAIN, POSTGRES, Served, WeakSecret, secret_check, shares
from app.env import NAMES
from tools.reference import COMPOSE_NAMES, ROOT, compose_defaults, compose_names

FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"init", "migrate", "tools", "ollama-pull", "gpu"}
OURS = {"web", "worker", "beat", "embeddings", "migrate"}
PINNED = re.compile(r"\$\{[A-Z0-9_]+_IMAGE:-[^:}]+:[^}]*\d[^}]*\}")

RUNS_AS_ROOT = {
    "init": "gives each part's folder to its user; has no network",
    "ollama": "its image keeps models in root's home; no capability is left to it",
    "ollama-pull": "the same image",
    "vllm": "its image keeps models in root's home; no capability is left to it",
}
WRITABLE_ROOT = {"vllm": "its compilers write below root's home while it runs"}
KEPT_CAPABILITIES = {
    "init": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
    # Caddy's program has it as a file capability and does not start without.
    "proxy": ["NET_BIND_SERVICE"],
}
HOST_PORTS = {"proxy"}
# Facts of the containers, not choices: a person cannot set them in .env.
FIXED = {
    "REFDESK_DATA", "REFDESK_HOST", "REFDESK_PORT", "REFDESK_INTERNAL_HOST", "REFDESK_OIDC_INTERNAL_URL",
    "REFDESK_WORKER_BEATS", "REFDESK_ALIVE_FILE", "REFDESK_METRICS_LISTEN",
}  # fmt: skip
# Allowed connections: a service reaches the services that share a network with it.
REACHED_BY = {
    "postgres": {"web", "worker", "beat", "migrate", "tools", "keycloak"},
    "valkey": {"web", "worker", "beat", "migrate", "tools", "qdrant", "minio", "prometheus"},
    "keycloak": {"proxy", "web", "tools", "postgres", "n8n", "bugsink", "prometheus", "grafana"},
    "embeddings": {"web", "worker", "tools", "ollama", "ollama-pull", "vllm"},
}
ROUTE_OUT = {"proxy", "web", "worker", "beat", "migrate", "tools", "ollama", "vllm", "n8n"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the environment, which names the tests' own engines."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def names_where(rule: Callable[[dict[str, Any]], bool]) -> set[str]:
    return {name for name, service in SERVICES.items() if rule(service)}


def user_of(service: dict[str, Any]) -> str:
    return str(service.get("user", "0")).split(":")[0]


def networks_of(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", []))


def volumes_of(service: dict[str, Any]) -> list[str]:
    return [str(volume).split(":")[0] for volume in service.get("volumes", [])]


def test_every_service_has_a_health_check_or_runs_once() -> None:
    assert names_where(lambda service: "healthcheck" not in service) == ONCE
    assert {SERVICES[name]["restart"] for name in ONCE} == {"no"}
    assert {service["restart"] for name, service in SERVICES.items() if name not in ONCE} == {"unless-stopped"}


def test_health_checks_need_no_newer_engine() -> None:
    # Docker 20.10 refuses start_interval, and then starts nothing.
    assert names_where(lambda service: "start_interval" in service.get("healthcheck", {})) == set()


def test_every_service_has_a_memory_limit_and_logs_that_end() -> None:
    assert names_where(lambda service: "mem_limit" not in service) == set()
    for name, service in SERVICES.items():
        options = service["logging"]["options"]
        assert (service["logging"]["driver"], set(options)) == ("json-file", {"max-size", "max-file"}), name


def test_services_are_locked_but_for_named_exceptions() -> None:
    assert names_where(lambda service: user_of(service) == "0") == set(RUNS_AS_ROOT)
    assert names_where(lambda service: service.get("read_only") is not True) == set(WRITABLE_ROOT)
    assert names_where(lambda service: service.get("cap_drop") != ["ALL"]) == set()
    assert names_where(lambda service: service.get("security_opt") != ["no-new-privileges:true"]) == set()
    kept = {name: service["cap_add"] for name, service in SERVICES.items() if "cap_add" in service}
    assert kept == KEPT_CAPABILITIES
    assert names_where(lambda service: "privileged" in service or service.get("network_mode") == "host") == set()
    assert "docker.sock" not in FILE.read_text("utf-8")


def test_only_the_proxy_has_host_ports_and_by_default_on_this_computer_alone() -> None:
    assert names_where(lambda service: "ports" in service) == HOST_PORTS
    published = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", port) for port in SERVICES["proxy"]["ports"]]
    assert published
    assert {port.split(":")[0] for port in published} == {"127.0.0.1"}


def test_every_image_is_a_variable_with_a_pinned_default() -> None:
    assert {
        name: service["image"] for name, service in SERVICES.items() if not PINNED.fullmatch(service["image"])
    } == {}
    assert "latest" not in " ".join(service["image"] for service in SERVICES.values())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert compose_defaults()["APP_IMAGE"] == f"refdesk/refdesk:{version}"
    assert compose_defaults()["KEYCLOAK_BUILT_IMAGE"] == f"refdesk/keycloak:{version}"


@pytest.mark.parametrize(("file", "service"), [("Dockerfile", "init"), ("compose/keycloak/Dockerfile", "keycloak")])
def test_a_dockerfile_s_arguments_are_those_of_the_compose_file(file: str, service: str) -> None:
    declared = dict(re.findall(r"^ARG (\w+)=(\S+)$", (ROOT / file).read_text("utf-8"), re.MULTILINE))
    given = SERVICES[service]["build"]["args"]
    assert given == {name: f"${{{name}:-{default}}}" for name, default in declared.items()}
    assert declared


def test_one_image_runs_every_part_of_ours() -> None:
    parts = {name: SERVICES[name]["command"][3] for name in OURS | {"init"}}
    assert parts == {name: name for name in OURS | {"init"}}
    assert set(PROGRAMS) == OURS
    assert len({SERVICES[name]["image"] for name in OURS | {"init", "tools", "gpu"}}) == 1


def test_the_tools_start_only_when_a_script_asks_for_one() -> None:
    tools = SERVICES["tools"]
    assert tools["profiles"] == ["tools"]
    asked = [*tools["entrypoint"][3:-1], "--keycloak=0", "backup", "--exports"]
    read = read_arguments(asked)
    assert tool_command(read)[2:] == ["backup", "--stream", "--exports"]
    command = tool_command(read_arguments(["--keycloak=1", "restore"]))
    assert command[2:] == ["restore", "--appliance", f"--keycloak={TOOLS}", f"/data/{ARRIVED}"]
    mounted = {str(volume).split(":")[0]: str(volume).split(":")[1] for volume in tools["volumes"]}
    assert (mounted["secrets-tools"], mounted["scratch"]) == (TOOLS, "/data")


def test_a_service_reaches_only_what_it_needs() -> None:
    for name, callers in REACHED_BY.items():
        near = {other for other in SERVICES if other != name and networks_of(other) & networks_of(name)}
        assert near == callers, name
    routes = {
        network for network, options in COMPOSE["networks"].items() if (options or {}).get("internal") is not True
    }
    assert names_where(lambda service: bool(set(service.get("networks", [])) & routes)) == ROUTE_OUT
    assert SERVICES["init"]["network_mode"] == "none"


def test_each_part_sees_its_own_secrets_only() -> None:
    seen = {
        name: {volume for volume in volumes_of(service) if volume.startswith("secrets")}
        for name, service in SERVICES.items()
    }
    assert seen.pop("init") == {volume for volume in COMPOSE["volumes"] if volume.startswith("secrets")}
    expected = {name: "secrets-app" if name in OURS - {"embeddings"} else f"secrets-{name}" for name in seen}
    # Backups hold what the application knows, and Keycloak's rows.
    assert seen.pop("tools") == {"secrets-app", "secrets-tools"}
    assert {name: volumes for name, volumes in seen.items() if volumes - {expected[name]}} == {}
    readers = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert all(volume.endswith(":ro") for volume in readers if re.match(r"secrets-\w+:/run", volume))


def test_every_part_gets_a_share_that_its_user_can_read() -> None:
    dealt = {share.part: share for share in shares(dict.fromkeys(MADE, "x"), Served())}
    for name, service in SERVICES.items():
        for volume in volumes_of(service):
            part = volume.removeprefix("secrets-")
            if volume.startswith("secrets-") and name != "init":
                assert str(dealt[part].owner) == user_of(service), name
    files = FILE.read_text("utf-8") + "".join(
        (ROOT / path).read_text("utf-8")
        for path in ("compose/keycloak/start.sh", "compose/postgres/roles.sh", "compose/metrics/prometheus.yml")
    )
    wanted = set(re.findall(r'(?:/run/refdesk|\$secrets)/"?(\w+)', files))
    assert wanted - {file for share in dealt.values() for file in share.files} == set()
    assert (dealt["app"].owner, dealt["postgres"].owner, dealt["qdrant"].owner) == (APP, POSTGRES, PLAIN)


def test_profiles_choose_the_model_server(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, str] = dict.fromkeys(MADE, "x")

    def model(served: Served) -> tuple[str, str]:
        app = next(share for share in shares(made, served) if share.part == "app")
        return app.files["llm_url"], app.files["llm_model"]

    assert model(Served()) == ("", "")
    assert model(Served(frozenset({"ollama", "gpu"}), "qwen", "big")) == ("http://ollama:11434/v1", "qwen")
    assert model(Served(frozenset({"vllm"}), "qwen", "big")) == ("http://vllm:8000/v1", "big")
    monkeypatch.setenv("REFDESK_LLM_URL", "http://elsewhere/v1")
    assert model(Served(frozenset({"ollama"}), "qwen", "big")) == ("http://elsewhere/v1", "")


def test_no_made_key_goes_to_a_server_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_QDRANT_URL", "https://qdrant.example.org")
    made: dict[str, str] = dict.fromkeys(MADE, "made")
    app = next(share for share in shares(made, Served()) if share.part == "app")
    assert app.files["qdrant_api_key"] == ""
    assert app.files["embeddings_api_key"] == "made"


@pytest.mark.parametrize("value", ["short", "changeme-changeme-1", "minioadmin-minioadmin", "aaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_given_secret_that_can_be_guessed_is_refused(value: str) -> None:
    with pytest.raises(WeakSecret):
        secret_check("REFDESK_QDRANT_API_KEY", value)
    secret_check("REFDESK_QDRANT_API_KEY", "T3q9ZrXw0Lk2VbNs")


def test_given_keys_of_credentials_come_first_and_the_made_one_goes_on_decrypting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = dict.fromkeys(MADE, "x") | {"secrets_keys": "made-here"}

    def keys() -> str:
        return next(share for share in shares(made, Served()) if share.part == "app").files["secrets_keys"]

    assert keys() == "made-here"
    monkeypatch.setenv("REFDESK_SECRETS_KEYS", "T3q9ZrXw0Lk2VbNsT3q9ZrXw0Lk2VbNs, sNbV2kL0wXrZ9q3TsNbV2kL0wXrZ9q3T")
    assert keys() == "T3q9ZrXw0Lk2VbNsT3q9ZrXw0Lk2VbNs,sNbV2kL0wXrZ9q3TsNbV2kL0wXrZ9q3T,made-here"
    monkeypatch.setenv("REFDESK_SECRETS_KEYS", "changeme-changeme-changeme-changeme")
    with pytest.raises(WeakSecret, match="REFDESK_SECRETS_KEYS"):
        keys()


def test_a_guessable_password_in_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_DATABASE_URL", "postgresql://refdesk:password@db/refdesk")
    with pytest.raises(WeakSecret):
        shares(dict.fromkeys(MADE, "x"), Served())


def test_every_setting_of_refdesk_can_be_given_in_the_env_file() -> None:
    text = FILE.read_text("utf-8")
    taken = {name for name in NAMES if f"${{{name}:-" in text}
    assert taken == set(NAMES) - FIXED


def test_the_compose_file_s_own_names_are_told_with_their_defaults() -> None:
    found = {name: default for name, default in compose_defaults().items() if not name.startswith("REFDESK_")}
    text = {name: default for name, (default, _) in compose_names().items()}
    # Without GPU Ollama takes none and vLLM NVIDIA's.
    assert {name: default for name, default in text.items() if name != "GPU"} == {
        name: default for name, default in found.items() if name != "GPU"
    }
    assert "GPU" in found
    assert set(COMPOSE_NAMES) <= set(found)


def test_files_that_the_compose_file_mounts_are_there() -> None:
    mounted = [str(volume) for service in SERVICES.values() for volume in service.get("volumes", [])]
    paths = [path.split(":")[0] for path in mounted if path.startswith("./")]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for kind in ("none", "nvidia", "amd"):
        extended = yaml.safe_load((ROOT / f"compose/gpu/{kind}.yml").read_text("utf-8"))["services"]
        assert set(extended) == {"ollama", "vllm"}


def test_the_proxy_streams_and_says_one_address() -> None:
    text = (ROOT / "compose/proxy/Caddyfile").read_text("utf-8")
    assert "flush_interval -1" in text
    assert "header_up X-Forwarded-For {client_ip}" in text
    assert "encode" not in text
    # The ports in here are others than outside: nothing is found or announced by them.
    assert "protocols h1 h2" in text
    assert ":8443 {" in (ROOT / "compose/proxy/sites/files.caddy").read_text("utf-8")


@pytest.mark.parametrize(("made", "code"), [("2020-01-01T00:00:00.5Z", 0), ("2999-01-01T00:00:00Z", 1), ("", 1)])
def test_an_image_from_before_the_newest_commit_is_old(made: str, code: int, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n[ -n '{made}' ] && echo '{made}'\n")
    docker.chmod(0o755)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "code.py").write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "app"], ["commit", "-qm", "code"]):
        subprocess.run([*git, *command], check=True)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    asked = f". {ROOT}/scripts/lib/stack-images; image_is_old refdesk/refdesk:0.1.0"
    assert subprocess.run(["sh", "-c", asked], cwd=tmp_path, env=environment).returncode == code


@pytest.mark.parametrize("name", ["up", "down", "status", "logs", "admin-link"])
def test_a_script_says_how_it_is_used_without_docker(name: str) -> None:
    output = subprocess.run(
        [str(ROOT / "scripts" / name), "--help"],
        env={"PATH": "/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert output.stdout.startswith(f"Usage: scripts/{name}")
    assert Path(ROOT / "scripts" / name).stat().st_mode & 0o111


def test_our_own_images_are_never_pulled_by_a_name_that_anybody_may_take() -> None:
    ours = names_where(lambda service: service["image"].split(":-")[1].startswith("refdesk/"))
    assert ours == OURS | {"init", "tools", "gpu", "keycloak"}
    assert {SERVICES[name]["pull_policy"] for name in ours} == {"${APP_PULL:-never}"}
    assert names_where(lambda service: "build" in service) == {"init", "keycloak"}


def test_a_script_says_plainly_that_docker_is_missing(tmp_path: Path) -> None:
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    command = [str(ROOT / "scripts" / "up")]
    output = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert output.returncode == 1
    assert output.stderr.startswith("Docker is not installed")


def test_the_first_admin_s_password_is_given_to_the_part_that_uses_it_only() -> None:
    text = {
        name for name, service in SERVICES.items() if "REFDESK_ADMIN_PASSWORD" in (service.get("environment") or {})
    }
    assert text == {"migrate"}
