"""Secrets that are made once and stored in files readable by their owner only."""

import os
import secrets
from pathlib import Path


def file_write_private(path: Path, text: str) -> None:
    """Replace `path` atomically with a file of mode 0600, in a folder that is made (0700) if needed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def secret_keep(path: Path) -> str:
    """Return the secret in `path`, made if there is none: 64 characters of URL-safe text."""
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    secret = secrets.token_urlsafe(48)
    file_write_private(path, secret + "\n")
    return secret
