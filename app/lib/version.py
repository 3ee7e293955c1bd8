"""Versions of Refdesk: this one, and their order. Imports no Django, because the supervisor reads them before it."""

import re
from pathlib import Path

from app.lib.engine_error import EngineError

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def project_version() -> str:
    """Read the version of this code from pyproject.toml. Raises EngineError when it names none."""
    match = re.search(r'^version = "([^"]+)"', PROJECT.read_text(), re.MULTILINE)
    if match is None:
        raise EngineError("pyproject.toml names no version.")
    return match[1]


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, which compare as versions do."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
