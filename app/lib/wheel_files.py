"""Files of the engines' packages on the disk, found without importing their code."""

import importlib.util
import platform
from pathlib import Path

from app.lib.engine_error import EngineError


def package_folder(name: str) -> Path:
    """Return a package's folder. Raises EngineError when the package is not installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"The package {name} is not installed. scripts/start installs it.")
    return Path(spec.submodule_search_locations[0])


def package_program(name: str, pattern: str) -> Path:
    """Return the file of the package that matches `pattern` (relative to its folder). Raises EngineError."""
    for path in sorted(package_folder(name).glob(pattern)):
        return path
    raise EngineError(f"The package {name} has no program {pattern} for {platform.system()} {platform.machine()}.")
