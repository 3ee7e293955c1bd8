"""Versions of Refdesk: the current one, and their order. Without Django: the supervisor reads versions before it."""

import re
from pathlib import Path

from app.lib.engine_error import EngineError

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def project_version() -> str:
    """Return the version of this code from pyproject.toml. Raises EngineError when it has none."""
    match = re.search(r'^version = "([^"]+)"', PROJECT.read_text(), re.MULTILINE)
    if match is None:
        raise EngineError("pyproject.toml names no version.")
    return match[1]


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparing versions."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
