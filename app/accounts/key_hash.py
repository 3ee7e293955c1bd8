"""Secrets that are shown once and kept as a hash: API keys and invitation tokens."""

import hashlib
import secrets

API_KEY_PREFIX = "rk_"


def secret_make(prefix: str = "") -> str:
    """256 random bits in URL-safe text."""
    return prefix + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """SHA-256 in hex. A slow hash adds nothing to 256 random bits and would cost every call."""
    return hashlib.sha256(secret.encode()).hexdigest()
