"""The deployment's keys: AES-256-GCM with associated data, so that a value decrypts only in its own row.

A key is any long random text (REFDESK_SECRETS_KEYS). HKDF derives from it the 256 bits that encrypt and the id that
is stored beside each value. The package that encrypts is loaded with the first credential: a box without one never pays
for it.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

from app.errors import RefdeskError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Random nonces of 96 bits are safe for 2^32 values of one key.
NONCE_BYTES, TAG_BYTES = 12, 16
KEY_BYTES, ID_BYTES = 32, 6


class UnknownKey(Exception):
    """Raised for a value encrypted with a key that the deployment does not have."""


class WrongPlace(Exception):
    """Raised for a value that belongs to another row, or was changed."""


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    cipher: "AESGCM"


class Keyring:
    """The keys: the first one encrypts, all of them decrypt."""

    def __init__(self, keys: list[str]) -> None:
        made = [_key_make(key) for key in keys]
        self.newest = made[0]
        self._keys = {key.id: key for key in made}

    @property
    def ids(self) -> list[str]:
        """Return the ids of all keys, newest first."""
        return list(self._keys)

    def encrypt(self, text: str, *, place: bytes) -> tuple[str, bytes]:
        """Encrypt a text for its place with the newest key; return the key's id and the sealed bytes."""
        nonce = os.urandom(NONCE_BYTES)
        return self.newest.id, nonce + self.newest.cipher.encrypt(nonce, text.encode(), place)

    def decrypt(self, key_id: str, sealed: bytes, *, place: bytes) -> str:
        """Decrypt the sealed bytes of a place.

        Raises:
            UnknownKey: the deployment does not have the key.
            WrongPlace: the bytes were made for another place, or were changed.
        """
        from cryptography.exceptions import InvalidTag

        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey(key_id)
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise WrongPlace
        try:
            return key.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place).decode()
        except InvalidTag:
            raise WrongPlace from None


def _key_make(text: str) -> Key:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return Key(_derived(text, b"id", ID_BYTES).hex(), AESGCM(_derived(text, b"encrypt", KEY_BYTES)))


def _derived(text: str, use: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"refdesk.secrets." + use).derive(text.encode())


# Two entries: for the tests, and for a process whose keys change while it runs.
@lru_cache(maxsize=2)
def _keyring_of(keys: str) -> Keyring:
    return Keyring(keys.split(","))


def keyring() -> Keyring:
    """Return the deployment's keys.

    Raises:
        RefdeskError: secrets_key_missing, when the deployment has no keys.
    """
    if not settings.SECRETS_KEYS:
        raise RefdeskError("secrets_key_missing")
    return _keyring_of(settings.SECRETS_KEYS)
