"""The only reader of the environment: every REFDESK_ name, typed, and refused with a one-line message when wrong.

A name with `_FILE` appended gives the path of a file that holds the value. An unknown REFDESK_ name stops the start,
so that a misspelt setting is never silently ignored.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.lib.nearest_name import did_you_mean


class EnvError(Exception):
    """A setting that cannot be used; the text is one line for the person who starts Refdesk."""


def _text(value: str) -> str:
    return value


def _flag(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be 1 or 0")


def _port(value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError("must be a port number from 1 to 65535")
    return int(value)


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with http:// or https://")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("must have a port number from 1 to 65535, or none") from None
    return value.rstrip("/")


def _public_url(value: str) -> str:
    """Return the public address without a slash at its end.

    It is compared letter by letter with what browsers send, so it has to be written as they write it.
    """
    parts = urlsplit(value)
    address = _http_url(value)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or a password")
    if parts.path.strip("/") or "?" in value or "#" in value:
        raise ValueError(
            f"must be the root of a host, as {parts.scheme}://{parts.netloc}: Refdesk cannot be served below a path"
        )
    if not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", parts.netloc.removesuffix(f":{parts.port}")):
        raise ValueError("must name a host in plain letters, digits, dots and hyphens")
    usual = f":{443 if parts.scheme == 'https' else 80}"
    written = f"{parts.scheme}://{parts.netloc.lower().removesuffix(usual)}"
    if address != written:
        raise ValueError(f"must be written as browsers write it, {written}")
    return address


def _dsn(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username or not parts.path.strip("/"):
        raise ValueError("must be an address as http://key@host/number, as the error server shows it")
    return value


def _s3_url(value: str) -> str:
    address = _http_url(value)
    if urlsplit(address).path or urlsplit(address).query or urlsplit(address).username:
        raise ValueError("must be the address of the store alone: the bucket and the keys have names of their own")
    return address


def _bucket(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        raise ValueError("must be 3 to 63 small letters, digits, dots and hyphens")
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})", value):
        raise ValueError("must be the name of a host, without a port")
    return value.lower()


def _issuer(value: str) -> str:
    # Returned unchanged: issuers are compared character by character, including a final slash.
    _http_url(value)
    if urlsplit(value).query or urlsplit(value).fragment:
        raise ValueError("must be an address without a query")
    return value


def _database_url(value: str) -> str:
    if urlsplit(value).scheme not in ("postgresql", "postgres"):
        raise ValueError("must be an address that begins with postgresql://")
    return value


def _valkey_url(value: str) -> str:
    if urlsplit(value).scheme not in ("redis", "rediss", "valkey", "unix"):
        raise ValueError("must be an address that begins with redis://, rediss:// or unix://")
    return value.replace("valkey://", "redis://", 1)


def _log_format(value: str) -> str:
    if value not in ("text", "json"):
        raise ValueError("must be text or json")
    return value


def _megabytes(value: str) -> int:
    if not value.isdigit() or not 0 < int(value) <= 10_000:
        raise ValueError("must be a number of megabytes from 1 to 10000")
    return int(value)


def _listen(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host:
        raise ValueError("must be an address and a port, as 127.0.0.1:9100")
    return host.removeprefix("[").removesuffix("]"), _port(port)


def _token(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{16,}", value):
        raise ValueError("must be at least 16 letters, digits or signs without a space")
    return value


def key_list_join(*lists: str | None) -> str:
    """Return the keys of several lists as one list with commas, each key once, in the order of the lists."""
    keys = [key for text in lists if text for key in re.split(r"[\s,]+", text) if key]
    return ",".join(dict.fromkeys(keys))


def _key_list(value: str) -> str:
    keys = key_list_join(value)
    if any(not re.fullmatch(r"[\x21-\x7e]{32,}", key) for key in keys.split(",")):
        raise ValueError("must be keys of at least 32 letters, digits or signs each, with commas or lines between")
    return keys


def _egress_allow(value: str) -> str:
    # Imported late: most processes that read settings do not need the egress rules.
    from app.lib.egress_rules import allowed_read

    allowed_read(value)
    return value


def _email(value: str) -> str:
    if "@" not in value or value != value.strip():
        raise ValueError("must be an e-mail address")
    return value.lower()


def _smtp_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/"):
        raise ValueError("must be an address that begins with smtp:// or smtps://")
    return value


def _sender(value: str) -> str:
    if "@" not in parseaddr(value)[1] or not value.isprintable():
        raise ValueError("must be an e-mail address, alone or as Name <address>")
    return value


@dataclass(frozen=True, slots=True)
class Name:
    """One setting: its default (None: not set), how its text is read, and what it means for docs/configuration.md."""

    default: str | None
    read: Callable[[str], Any]
    meaning: str


NAMES: dict[str, Name] = {
    "REFDESK_DATA": Name("./data", _text, "Folder of everything the embedded engines keep"),
    "REFDESK_HOST": Name("127.0.0.1", _text, "Address that the web server listens on"),
    "REFDESK_PORT": Name("8000", _port, "Port that the web server listens on"),
    "REFDESK_URL": Name(
        "http://localhost:8000", _public_url, "Public address without a path, for links, cookies and sign-in"
    ),
    "REFDESK_INTERNAL_HOST": Name(
        None, _host, "Name by which other servers of the box reach the web server, beside the public one"
    ),
    "REFDESK_ADMIN_EMAIL": Name("owner@localhost.localdomain", _email, "First owner, first start only"),
    "REFDESK_ADMIN_PASSWORD": Name(None, _text, "First owner's password; made and printed once when not given"),
    "REFDESK_SAMPLES": Name("1", _flag, "0: do not load the sample library at the first start"),
    "REFDESK_SECRET_KEY": Name(None, _text, "Key that signs sessions; made at the first start when not given"),
    "REFDESK_SECRETS_KEYS": Name(
        None,
        _key_list,
        "Keys that encrypt stored credentials: the first encrypts, all decrypt; one is made at the first start",
    ),
    "REFDESK_EGRESS_ALLOW": Name(
        None,
        _egress_allow,
        "Hosts, host:port and networks, with commas, that addresses entered by people may reach although they are "
        "private or at another port than 80 and 443",
    ),
    "REFDESK_SMTP_URL": Name(
        None, _smtp_url, "Mail server, with user:password@ if it wants them; smtps:// for TLS from the first byte"
    ),
    "REFDESK_MAIL_FROM": Name(None, _sender, "Sender of mails; without it and a mail server, no mail is sent"),
    "REFDESK_UPLOAD_MAX_MB": Name("500", _megabytes, "Largest file that is taken, in megabytes (1024 x 1024 bytes)"),
    "REFDESK_LLM_URL": Name(None, _http_url, "OpenAI-compatible model server, ending in /v1"),
    "REFDESK_LLM_MODEL": Name(None, _text, "Model name; the server's first model when not given"),
    "REFDESK_LLM_API_KEY": Name(None, _text, "Key of the model server"),
    "REFDESK_EMBEDDINGS_URL": Name(None, _http_url, "OpenAI-compatible embeddings server, ending in /v1"),
    "REFDESK_EMBEDDINGS_MODEL": Name(None, _text, "Embedding model; the server's first model when not given"),
    "REFDESK_EMBEDDINGS_API_KEY": Name(None, _text, "Key of the embeddings server"),
    "REFDESK_SPEECH_URL": Name(
        None, _http_url, "OpenAI-compatible speech-to-text server, ending in /v1; the packaged model without it"
    ),
    "REFDESK_SPEECH_MODEL": Name(
        None, _text, "Model of that server; without a server, the packaged whisper-base or whisper-tiny.en"
    ),
    "REFDESK_SPEECH_API_KEY": Name(None, _text, "Key of the speech-to-text server"),
    "REFDESK_DATABASE_URL": Name(None, _database_url, "PostgreSQL 16 or newer"),
    "REFDESK_VALKEY_URL": Name(None, _valkey_url, "Valkey or Redis"),
    "REFDESK_QDRANT_URL": Name(None, _http_url, "Qdrant"),
    "REFDESK_QDRANT_API_KEY": Name(None, _text, "Qdrant's API key"),
    "REFDESK_S3_URL": Name(None, _s3_url, "S3 store for files (MinIO and others); a folder of REFDESK_DATA without it"),
    "REFDESK_S3_BUCKET": Name("refdesk", _bucket, "Bucket for files; made if it is missing and the key may"),
    "REFDESK_S3_ACCESS_KEY": Name(None, _text, "Access key of the S3 store"),
    "REFDESK_S3_SECRET_KEY": Name(None, _text, "Secret key of the S3 store"),
    "REFDESK_S3_PUBLIC_URL": Name(
        None, _s3_url, "Where browsers reach the S3 store, to download from it; without it files come through Refdesk"
    ),
    "REFDESK_OIDC_ISSUER": Name(None, _issuer, "Sign-in by OIDC: the provider's issuer, exactly as it says itself"),
    "REFDESK_OIDC_INTERNAL_URL": Name(
        None, _http_url, "Where this server asks the provider, if not at the issuer's own address"
    ),
    "REFDESK_OIDC_CLIENT_ID": Name(None, _text, "The client that the provider knows Refdesk as"),
    "REFDESK_OIDC_CLIENT_SECRET": Name(None, _text, "The client's secret; none for a public client"),
    "REFDESK_WORKER_BEATS": Name(
        "1", _flag, "0: a worker leaves the schedule (comparing the stores, retention) to `manage.py beat`"
    ),
    "REFDESK_METRICS_TOKEN": Name(
        None, _token, "Bearer token for /metrics, 16 characters or more; without it that page is not there"
    ),
    "REFDESK_METRICS_LISTEN": Name(
        None,
        _listen,
        "Address and port of a worker's or a beat's own /metrics; without it a free port of 127.0.0.1, written to "
        "REFDESK_DATA/run/metrics-worker.json or metrics-beat.json",
    ),
    "REFDESK_SENTRY_DSN": Name(
        None, _dsn, "Where errors are reported to, by Sentry's protocol: kinds and places, no content"
    ),
    "REFDESK_LOG_FORMAT": Name(
        "text", _log_format, "Shape of the log: text for people, or json, one object a line without any content"
    ),
    "REFDESK_ALIVE_FILE": Name(None, _text, "File that a worker or a beat touches while it lives"),
}
FIRST_START = ("REFDESK_ADMIN_EMAIL", "REFDESK_ADMIN_PASSWORD", "REFDESK_SAMPLES")
PREFIX = "REFDESK_"
# Names that belong to tests: read there, known here so that they do not stop a start.
TEST_PREFIX = "REFDESK_TEST_"
# The values of these stay out of error messages even when invalid: a mistyped key is nearly the key.
_SECRET_NAME = re.compile(r"(?:KEY|KEYS|PASSWORD|SECRET|TOKEN)$")


def _raw(name: str, environ: Mapping[str, str]) -> str | None:
    direct, path = environ.get(name) or None, environ.get(f"{name}_FILE") or None
    if direct is not None and path is not None:
        raise EnvError(f"{name} and {name}_FILE are both set: remove one.")
    if path is None:
        return direct
    try:
        return Path(path).read_text().rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError) as error:
        raise EnvError(f"{name}_FILE names {path}, which cannot be read: {error}.") from error


def _meant(name: str, known: Iterable[str]) -> str:
    """Return the setting that was meant perhaps, compared without the prefix that all share."""
    names = (each.removeprefix(PREFIX) for each in known)
    return did_you_mean(name.removeprefix(PREFIX), names, form=f"{PREFIX}{{}}")


def check_names(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse REFDESK_ names that are no settings.

    Raises:
        EnvError: with the first unknown name.
    """
    known = set(NAMES) | {f"{name}_FILE" for name in NAMES}
    for name in sorted(environ):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
            raise EnvError(
                f"{name} is not a setting of Refdesk.{_meant(name, known)} "
                "The names are listed in docs/configuration.md."
            )


def check_values() -> None:
    """Refuse a setting that was given and cannot be used, before anything is started with the others.

    Raises:
        EnvError: with the first one.
    """
    for name in NAMES:
        if is_given(name):
            read(name)


def read(name: str, environ: Mapping[str, str] = os.environ) -> Any:
    """Return the value of a setting, its default, or None.

    Raises:
        EnvError: when the value cannot be used.
    """
    setting = NAMES[name]
    text = _raw(name, environ)
    if text is None:
        text = setting.default
    if text is None:
        return None
    try:
        return setting.read(text)
    except ValueError as error:
        if _SECRET_NAME.search(name):
            raise EnvError(f"{name} {error}.") from None
        # A password in an address stays out of terminals and logs.
        shown = re.sub(r"(?<=//)[^/@]*@", "…@", text)
        raise EnvError(f"{name} {error}, not {shown!r}.") from error


def is_given(name: str) -> bool:
    """Return whether the setting is set explicitly, so that its default does not override a stored choice."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def inherited() -> dict[str, str]:
    """Return the whole environment, for a child process that gets it with additions."""
    return dict(os.environ)


def given_deployment() -> dict[str, str]:
    """Return the explicitly set settings except those of the first start; the paths of files are absolute."""
    found = {}
    for name in NAMES:
        if name in FIRST_START:
            continue
        if text := os.environ.get(name):
            found[name] = text
        elif path := os.environ.get(f"{name}_FILE"):
            found[f"{name}_FILE"] = str(Path(path).resolve())
    return found


def read_deployment(name: str) -> Any:
    """Return the value of a setting that the start may provide.

    The supervisor writes its own settings, and the addresses of the engines that it started, to
    REFDESK_DATA/run/environment.json, so that a command typed in another shell uses the same ones; a variable that is
    set takes precedence over that file.
    """
    return read(name) if is_given(name) else read(name, _started())


def read_secrets_keys() -> str:
    """Return the keys of stored credentials: those of the running box, then those of this environment.

    The environment's keys alone would encrypt what the box cannot read, and could not decrypt what it stored.
    """
    return key_list_join(read("REFDESK_SECRETS_KEYS", _started()), read("REFDESK_SECRETS_KEYS"))


def _started() -> dict[str, str]:
    """Return the settings that the supervisor of a running box wrote; empty when there is none."""
    path = Path(read("REFDESK_DATA")) / "run" / "environment.json"
    try:
        started = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {key: text for key, text in started.items() if key.removesuffix("_FILE") in NAMES}
