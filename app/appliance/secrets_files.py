"""The appliance's secrets: made once, kept in the volume `secrets`, and distributed so that each part has only its own.

`init` does this at every start, before anything else, as the only container that sees them all. A secret from .env
replaces the one that was made; a known or short one is refused.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from app import env
from app.embedded.secret import file_write_private, secret_keep

KEYCLOAK = "http://keycloak:8080/auth/realms/refdesk"
SHORTEST = 16
# Secrets from examples and habits, which attackers try first.
KNOWN = (
    "changeme",
    "change-me",
    "change_me",
    "password",
    "secret",
    "minioadmin",
    "example",
    "0123456789",
    "a long random",
)
MADE = (
    "secret_key", "secrets_keys", "postgres_superuser", "postgres_refdesk", "postgres_keycloak", "valkey", "qdrant",
    "s3_access_key", "s3_secret_key", "embeddings", "oidc_client", "keycloak_admin", "bugsink", "bugsink_admin",
    "grafana_admin", "metrics",
)  # fmt: skip
# Users of the containers (`user:` in docker-compose.yml).
APP, POSTGRES, VALKEY, PLAIN = 10001, 999, 999, 1000
BUGSINK, GRAFANA, NOBODY = 14237, 472, 65534
# Volumes whose folder in the image belongs to root, or is missing.
DATA = {"scratch": APP, "qdrant": PLAIN, "minio": PLAIN, "proxy-data": PLAIN, "proxy-config": PLAIN}


class WeakSecret(Exception):
    """Raised for a given secret that can be guessed; the text is one line for the person who starts Refdesk."""


@dataclass(frozen=True, slots=True)
class Served:
    """The model servers of the compose file: its profiles, and the model of each."""

    profiles: frozenset[str] = frozenset()
    ollama_model: str = ""
    vllm_model: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """The secrets of one part: files in the volume `secrets-<part>`, readable by `owner` alone."""

    part: str
    owner: int
    files: dict[str, str]


def secret_check(name: str, value: str) -> None:
    """Check that a secret cannot be guessed. Raises WeakSecret."""
    if len(value) < SHORTEST or len(set(value)) < 8 or any(word in value.lower() for word in KNOWN):
        raise WeakSecret(
            f"{name} can be guessed. Give it at least {SHORTEST} random characters, or leave it out: one is made."
        )


def given(name: str) -> str | None:
    """Read a secret from the environment and check it. Raises EnvError, WeakSecret."""
    value = env.read(name)
    if value is None:
        return None
    parts = urlsplit(str(value))
    # The password of an address is checked; a server elsewhere may have none, or another kind of login.
    secret = unquote(parts.password or "") if "://" in str(value) else str(value)
    if secret:
        secret_check(name, secret)
    return str(value)


def secrets_keys(made: str) -> str:
    """Return the keys of stored credentials: the given ones, and the one made here, which stays for decryption.

    Raises EnvError, WeakSecret.
    """
    keys: str | None = env.read("REFDESK_SECRETS_KEYS")
    for key in keys.split(",") if keys else ():
        secret_check("REFDESK_SECRETS_KEYS", key)
    return env.key_list_join(keys, made)


def model_server(served: Served) -> dict[str, str]:
    """Return address, model and key of the language model: those given, else the profile's. Empty: none."""
    url, model = env.read("REFDESK_LLM_URL") or "", env.read("REFDESK_LLM_MODEL") or ""
    if not url and "vllm" in served.profiles:
        url, model = "http://vllm:8000/v1", model or served.vllm_model
    elif not url and "ollama" in served.profiles:
        url, model = "http://ollama:11434/v1", model or served.ollama_model
    return {"llm_url": url, "llm_model": model, "llm_api_key": env.read("REFDESK_LLM_API_KEY") or ""}


def key_of(name: str, made: str) -> str:
    """Return the key of a server: the given one, else one made for our own server; empty for a server elsewhere."""
    return given(f"{name}_API_KEY") or ("" if env.read(f"{name}_URL") else made)


def keycloak_backed_up(made: dict[str, str], client: str) -> dict[str, str]:
    """Return the secrets that a backup of Keycloak needs; none with another provider."""
    url = f"postgresql://keycloak:{quote(made['postgres_keycloak'], safe='')}@postgres:5432/keycloak"
    return {
        "keycloak_database_url": "" if env.read("REFDESK_OIDC_ISSUER") else url,
        "keycloak_admin": made["keycloak_admin"],
        "oidc_client": client,
    }


def shares(made: dict[str, str], served: Served) -> list[Share]:
    """Return the secrets of every part. Raises EnvError, WeakSecret."""
    database = f"postgresql://refdesk:{quote(made['postgres_refdesk'], safe='')}@postgres:5432/refdesk"
    valkey = f"redis://:{quote(made['valkey'], safe='')}@valkey:6379/0"
    qdrant = key_of("REFDESK_QDRANT", made["qdrant"])
    embeddings = key_of("REFDESK_EMBEDDINGS", made["embeddings"])
    client = given("REFDESK_OIDC_CLIENT_SECRET") or made["oidc_client"]
    access = env.read("REFDESK_S3_ACCESS_KEY") or made["s3_access_key"]
    secret = given("REFDESK_S3_SECRET_KEY") or made["s3_secret_key"]
    metrics = given("REFDESK_METRICS_TOKEN") or made["metrics"]
    app = {
        "secret_key": given("REFDESK_SECRET_KEY") or made["secret_key"],
        "secrets_keys": secrets_keys(made["secrets_keys"]),
        "database_url": given("REFDESK_DATABASE_URL") or database,
        "valkey_url": given("REFDESK_VALKEY_URL") or valkey,
        "qdrant_api_key": qdrant,
        "s3_access_key": access,
        "s3_secret_key": secret,
        "embeddings_api_key": embeddings,
        "speech_api_key": env.read("REFDESK_SPEECH_API_KEY") or "",
        "oidc_client_secret": client,
        "oidc_internal_url": "" if env.read("REFDESK_OIDC_ISSUER") else KEYCLOAK,
        "metrics_token": metrics,
        "smtp_url": env.read("REFDESK_SMTP_URL") or "",
        "sentry_dsn": env.read("REFDESK_SENTRY_DSN") or "",
        **model_server(served),
    }
    return [
        Share("app", APP, app),
        Share("embeddings", APP, {"api_key": embeddings or made["embeddings"]}),
        Share(
            "postgres",
            POSTGRES,
            {name: made[f"postgres_{name}"] for name in ("superuser", "refdesk", "keycloak")},
        ),
        Share("valkey", VALKEY, {"password.conf": f"requirepass {made['valkey']}", "password": made["valkey"]}),
        Share("qdrant", PLAIN, {"api_key": qdrant or made["qdrant"]}),
        Share("minio", PLAIN, {"access_key": access, "secret_key": secret}),
        Share(
            "keycloak",
            PLAIN,
            {"admin": made["keycloak_admin"], "database": made["postgres_keycloak"], "client": client},
        ),
        Share("tools", APP, keycloak_backed_up(made, client)),
        Share("bugsink", BUGSINK, {"secret_key": made["bugsink"], "admin": made["bugsink_admin"]}),
        Share("prometheus", NOBODY, {"api_key": qdrant or made["qdrant"], "metrics_token": metrics}),
        Share("grafana", GRAFANA, {"admin": made["grafana_admin"]}),
    ]


def folder_give(folder: Path, owner: int) -> None:
    if folder.stat().st_uid != owner:
        os.chown(folder, owner, owner)
    folder.chmod(0o700)


def share_write(root: Path, share: Share) -> int:
    """Update the part's files; return how many changed."""
    folder = root / share.part
    changed = 0
    for name, text in share.files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text + "\n":
            file_write_private(path, text + "\n")
            changed += 1
        if path.stat().st_uid != share.owner:
            os.chown(path, share.owner, share.owner)
    folder_give(folder, share.owner)
    return changed


def vault_fill(root: Path, served: Served) -> Iterator[str]:
    """Make missing secrets in `root`/vault, write `root`/shares/PART, give `root`/volumes/NAME to their users.

    Return log lines without any secret. Raises EnvError, WeakSecret, OSError.
    """
    vault = root / "vault"
    fresh = not any(vault.iterdir())
    made = {name: secret_keep(vault / name) for name in MADE}
    vault.chmod(0o700)
    changed = sum(share_write(root / "shares", share) for share in shares(made, served))
    for name, owner in DATA.items():
        folder_give(root / "volumes" / name, owner)
    if fresh:
        yield f"Secrets are made: {len(MADE)}. They stay in the volume `secrets`; back it up."
    else:
        yield f"Secrets are kept; {changed} files were brought up to date."
