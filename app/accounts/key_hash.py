"""Secrets that are shown once and kept as a hash: API keys and invitation tokens."""

import base64
import hashlib
import secrets

from django.utils.crypto import salted_hmac

API_KEY_PREFIX = "rk_"


def secret_make(prefix: str = "") -> str:
    """Make a secret of 256 random bits in URL-safe text."""
    return prefix + secrets.token_urlsafe(32)


def secret_derive(salt: str) -> str:
    """Return the secret of a salt, as URL-safe text of 256 bits that only this box's secret key can tell."""
    digest = salted_hmac("refdesk.one_time_secret", salt, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def secret_hash(secret: str) -> str:
    """Return the SHA-256 in hex. A slow hash adds nothing to 256 random bits and would cost every call."""
    return hashlib.sha256(secret.encode()).hexdigest()
