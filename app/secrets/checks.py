"""Checks at startup that the keys of stored credentials are there and cannot be guessed."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

# Texts of examples and common habits: a key that contains one is not random.
KNOWN = ("changeme", "change-me", "password", "secret", "example", "0123456789", "random-letters")
DISTINCT_CHARACTERS = 12


@register(Tags.security, deploy=True)
def secrets_keys_check(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    keys = settings.SECRETS_KEYS.split(",") if settings.SECRETS_KEYS else []
    if not keys:
        return [
            Error(
                "REFDESK_SECRETS_KEYS is not set: credentials cannot be stored or read.",
                hint="Give it a long random text, and keep that text; scripts/start and scripts/up make one.",
                id="refdesk.E007",
            )
        ]
    guessed = [key for key in keys if len(set(key)) < DISTINCT_CHARACTERS or any(word in key.lower() for word in KNOWN)]
    return [
        Error(
            "A key in REFDESK_SECRETS_KEYS can be guessed: whoever has the database could read the credentials.",
            hint="Put a random one before it, run `manage.py secrets_rotate`, then take it out (docs/secrets.md).",
            id="refdesk.E007",
        )
        for _ in guessed[:1]
    ]
