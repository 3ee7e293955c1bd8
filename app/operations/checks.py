"""Checks for misconfiguration at the start instead of the first request. `manage.py check --deploy` runs them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, register
from django.utils.module_loading import import_string

from app.errors import Upstream
from app.lib.storage import storage_ping

SHORTEST_KEY = 32
# Common example texts; a key that contains one was copied, not generated.
KNOWN_KEYS = (
    "changeme",
    "change-me",
    "django-insecure",
    "secret-key",
    "your-secret",
    "64 random letters",
    "0123456789",
)
ENGINES = ("VALKEY_URL", "QDRANT_URL", "EMBEDDINGS_URL")
# Middleware that protects every response; Django's own checks know these by their first name only.
PROTECTIONS = (
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
)
ANSWER_S = 5.0
MENDED_BY_HAND = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@register(Tags.security, deploy=True)
def secret_key_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    key = settings.SECRET_KEY
    known = any(text in key.lower() for text in KNOWN_KEYS)
    if len(key) >= SHORTEST_KEY and len(set(key)) >= 8 and not known:
        return []
    return [
        Error(
            "REFDESK_SECRET_KEY is known or can be guessed: sessions could be forged.",
            hint=f"Give it at least {SHORTEST_KEY} random characters, or leave it out: scripts/start makes one.",
            id="refdesk.E001",
        )
    ]


@register(Tags.urls, deploy=True)
def public_url_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    url = settings.PUBLIC_URL
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in LOOPBACK:
        return []
    return [
        Info(
            f"REFDESK_URL is {url}: passwords and documents cross the network unencrypted.",
            hint="Put a proxy with TLS before Refdesk and set REFDESK_URL to its https:// address.",
            id="refdesk.I001",
        )
    ]


@register(Tags.urls, deploy=True)
def engines_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    missing = [f"REFDESK_{setting}" for setting in ENGINES if not getattr(settings, setting)]
    if not missing:
        return []
    return [
        Error(
            f"No address is known for {', '.join(missing)}.",
            hint="Start Refdesk with scripts/start, which starts what is missing, or set their addresses.",
            id="refdesk.E003",
        )
    ]


@register(Tags.files, deploy=True)
def data_folder_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    folder = Path(settings.DATA)
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"Files cannot be kept in {folder} (REFDESK_DATA): {existing} is not a folder that this user may write.",
            hint="Give the folder to the user that runs Refdesk, or set REFDESK_DATA to another one.",
            id="refdesk.E004",
        )
    ]


@register(Tags.files, deploy=True)
def bucket_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.S3_URL:
        return []
    try:
        storage_ping(ANSWER_S)
    except Upstream as error:
        reason = str(error.details.get("reason"))
    else:
        return []
    where = f"the bucket {settings.S3_BUCKET} at {settings.S3_URL}"
    if reason == "NoSuchBucket":
        hint = "Make it, or let the key make it with the first file; docs/storage.md says what a key needs."
        return [Info(f"There is no {where.removeprefix('the ')} yet.", hint=hint, id="refdesk.I002")]
    if reason in MENDED_BY_HAND:
        hint = "Compare REFDESK_S3_ACCESS_KEY and REFDESK_S3_SECRET_KEY, and what docs/storage.md says a key needs."
        return [Error(f"The S3 store refuses Refdesk {where} ({reason}).", hint=hint, id="refdesk.E006")]
    # Engines may start after Refdesk: /ready monitors this one.
    hint = "Start the store, or correct REFDESK_S3_URL. Uploads and downloads wait for it."
    return [Info(f"Nothing answers for {where} ({reason}).", hint=hint, id="refdesk.I003")]


@register(Tags.security, deploy=True)
def middleware_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    used = [import_string(path) for path in settings.MIDDLEWARE]
    classes = [each for each in used if isinstance(each, type)]
    return [
        Error(
            f"Answers are sent without {path.rpartition('.')[2]}.",
            hint="Put it, or a class that derives from it, back into MIDDLEWARE in app/settings.py.",
            id="refdesk.E005",
        )
        for path in PROTECTIONS
        if not any(issubclass(each, import_string(path)) for each in classes)
    ]
