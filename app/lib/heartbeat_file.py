"""The heartbeat file: a process without a port touches it while it works, for health checks."""

import contextlib
from pathlib import Path

from django.conf import settings


def heartbeat_touch() -> None:
    """Touch the heartbeat file, if REFDESK_ALIVE_FILE names one."""
    if settings.ALIVE_FILE:
        # A full disk is no reason to stop working.
        with contextlib.suppress(OSError):
            Path(settings.ALIVE_FILE).touch()
