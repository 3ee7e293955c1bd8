"""Checks of the services that Refdesk uses, with the same clients. Needs Django's settings."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from app.errors import RefdeskError
from app.lib.mail import MailFailed, mail_check, mail_is_set
from app.llm.embeddings import EmbeddingSpace
from app.llm.models_kept import embeddings_client
from app.oidc.token_revocation import oidc_configured
from app.operations.doctor.findings import Check, Finding, ok, problem, warning
from app.operations.doctor.models import model_check
from app.operations.health import engine_checks
from app.secrets.selectors import secret_key_usage

ANSWER_S, EMBED_S = 5.0, 15.0
POSTGRES_LEAST = 16
CERTIFICATE_DAYS = 14
SKEW_WARNING_S, SKEW_PROBLEM_S = 30, 60
TODO = {
    "database": "Look into logs/postgres.log, or at the server of REFDESK_DATABASE_URL.",
    "cache": "Look into logs/valkey.log, or at the server of REFDESK_VALKEY_URL.",
    "search": "Look into its log in the folder logs, or at the address that was given for it.",
    "embeddings": "Look into logs/embeddings.log, or at the server of REFDESK_EMBEDDINGS_URL.",
    "files": "Compare REFDESK_S3_URL and the keys with docs/storage.md.",
}


def engines_check() -> Iterator[Finding]:
    for name, check in engine_checks().items():
        begun = time.perf_counter()
        try:
            check()
        except Exception as error:  # any error means that this engine is down
            yield problem(name, f"does not answer ({type(error).__name__})", TODO[name])
        else:
            yield ok(name, f"answers in {(time.perf_counter() - begun) * 1000:.0f} ms")


def database_check() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        version = int(cursor.fetchone()[0])
        begun = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        skew = abs(float(cursor.fetchone()[0]) - begun)
    if version < POSTGRES_LEAST:
        yield problem("database", f"is PostgreSQL {version}", "Refdesk needs PostgreSQL 16 or newer.")
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        yield problem(
            "tables", f"{len(waiting)} changes are not made yet", "manage.py migrate makes them; a start does."
        )
    else:
        yield ok("tables", f"of this version, in PostgreSQL {version}")
    yield from _skew("database", skew)


def _skew(whose: str, seconds: float) -> Iterator[Finding]:
    text = f"differs from that of {whose} by {seconds:.0f} s"
    if seconds > SKEW_PROBLEM_S:
        yield problem("clock", text, "Let NTP keep both: sign-ins and signed downloads fail.")
    elif seconds > SKEW_WARNING_S:
        yield warning("clock", text, "Let NTP keep both.")


def embeddings_check() -> Iterator[Finding]:
    begun = time.perf_counter()
    spaces: list[EmbeddingSpace] = []
    # An upload may wait for minutes, but a person who runs the doctor does not.
    asking = threading.Thread(target=_space_ask, args=(spaces,), daemon=True)
    asking.start()
    asking.join(EMBED_S)
    if not spaces:
        yield problem("embedding model", "makes no vectors", TODO["embeddings"])
        return
    space = spaces[0]
    text = f"{space.model}, {space.dimensions} dimensions, {time.perf_counter() - begun:.1f} s"
    yield ok("embedding model", text)


def _space_ask(spaces: list[EmbeddingSpace]) -> None:
    with contextlib.suppress(RefdeskError):
        spaces.append(embeddings_client().space())


def credentials_check() -> Iterator[Finding]:
    try:
        usage = secret_key_usage()
    except RefdeskError as error:
        yield problem("credentials", error.message, "Give back REFDESK_SECRETS_KEYS as it was (docs/secrets.md).")
        return
    stored = usage.newest + usage.older + usage.unknown
    if usage.unknown:
        text = f"{usage.unknown} of {stored} have a key that is not in REFDESK_SECRETS_KEYS"
        yield problem("credentials", text, "Give back the key (docs/secrets.md), or enter them again.")
    elif usage.older:
        text = f"{usage.older} of {stored} have an older key"
        yield warning("credentials", text, "`manage.py secrets_rotate` encrypts them with the newest one.")
    else:
        yield ok("credentials", f"{stored} stored, with the newest key" if stored else "none are stored")


def mail_server_check() -> Iterator[Finding]:
    if not mail_is_set():
        yield ok("mail", "none is sent")
        return
    try:
        mail_check()
    except MailFailed as error:
        yield problem(
            "mail", error.message, "Correct REFDESK_SMTP_URL: host, port, and user:password@ if it wants them."
        )
    else:
        yield ok("mail", "the server takes us")


def oidc_check() -> Iterator[Finding]:
    if not oidc_configured():
        return
    # Its packages cost memory and time, which a box without OIDC never spends.
    from app.oidc.discovery import provider_forget, provider_get

    # The current state, not the one that this process has cached.
    provider_forget()
    try:
        provider_get()
    except RefdeskError as error:
        yield problem(
            "oidc",
            f"{settings.OIDC_ISSUER}: {error.message}",
            "Compare REFDESK_OIDC_ISSUER with what the provider's /.well-known/openid-configuration says.",
        )
    else:
        yield ok("oidc", f"{settings.OIDC_ISSUER} is found")


def address_check() -> Iterator[Finding]:
    """Check the public address as a browser on this machine sees it."""
    parts = urlsplit(settings.PUBLIC_URL)
    host = parts.hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        yield problem("address", f"no name service knows {host}", "Correct REFDESK_URL, or make a DNS record for it.")
        return
    if parts.scheme != "https":
        yield ok("address", f"{settings.PUBLIC_URL}, without TLS")
        return
    try:
        with (
            socket.create_connection((host, parts.port or 443), ANSWER_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        yield problem(
            "tls",
            f"browsers will refuse {host}: {error.verify_message}",
            "Give the proxy a certificate for this name, or trust its authority (SSL_CERT_FILE).",
        )
        return
    except OSError as error:
        yield warning(
            "tls",
            f"{settings.PUBLIC_URL} cannot be reached from here ({type(error).__name__})",
            "If browsers reach it, all is well; otherwise start the proxy.",
        )
        return
    days = int((ends - time.time()) // 86400)
    if days < CERTIFICATE_DAYS:
        yield warning(
            "tls",
            f"the certificate of {host} ends in {days} days",
            "Renew it; the proxy does so by itself if ACME reaches it.",
        )
    else:
        yield ok("tls", f"the certificate of {host} holds for {days} days")


def outside_clock_check() -> Iterator[Finding]:
    """Compare our clock with those of the services that compare times with ours."""
    for name, address in (("the sign-in provider", settings.OIDC_ISSUER), ("the file store", settings.S3_URL)):
        if not address:
            continue
        parts = urlsplit(address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        try:
            asked = kind(parts.hostname or "", parts.port, timeout=ANSWER_S)
            asked.request("HEAD", "/")
            said = asked.getresponse().headers.get("Date")
            asked.close()
        except OSError:
            # Another check reports that it does not respond.
            continue
        if said:
            yield from _skew(name, abs(parsedate_to_datetime(said).timestamp() - time.time()))


def settings_check() -> Iterator[Finding]:
    """Yield Django's and our own checks of the settings."""
    wrong = [one for one in run_checks(include_deployment_checks=True) if one.level >= ERROR and not one.is_silenced()]
    for one in wrong:
        yield problem("settings", one.msg, one.hint or "See docs/configuration.md.")
    if not wrong:
        yield ok("settings", "can be used")


CHECKS: dict[str, Check] = {
    "settings": settings_check,
    "engines": engines_check,
    "database": database_check,
    "credentials": credentials_check,
    "embedding model": embeddings_check,
    "model": model_check,
    "mail": mail_server_check,
    "oidc": oidc_check,
    "address": address_check,
    "clock": outside_clock_check,
}
