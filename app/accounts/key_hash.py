"""Secrets that are shown once and stored as a hash: API keys and invitation tokens."""

import base64
import hashlib
import secrets

from django.utils.crypto import salted_hmac

API_KEY_PREFIX = "rk_"


def secret_make(prefix: str = "") -> str:
    """Return a new secret of 256 random bits in URL-safe text."""
    return prefix + secrets.token_urlsafe(32)


def secret_derive(salt: str) -> str:
    """Return the secret derived from a salt with this box's secret key: 256 bits as URL-safe text."""
    digest = salted_hmac("refdesk.one_time_secret", salt, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def secret_hash(secret: str) -> str:
    """Return the SHA-256 in hex. A slow hash adds nothing to 256 random bits and would cost every call."""
    return hashlib.sha256(secret.encode()).hexdigest()
