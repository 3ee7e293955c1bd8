"""A file that a process without an address touches while it works, for whoever watches it (docker-compose.yml)."""

import contextlib
from pathlib import Path

from django.conf import settings


def alive_touch() -> None:
    """Nothing without REFDESK_ALIVE_FILE."""
    if settings.ALIVE_FILE:
        # A full disk is no reason to stop working.
        with contextlib.suppress(OSError):
            Path(settings.ALIVE_FILE).touch()
