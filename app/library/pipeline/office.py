"""Convert old Word and PowerPoint files by LibreOffice, in a process that has neither network nor our files.

It runs before the child that reads the result, since that child may write nothing. Without LibreOffice such a file
fails with `office_not_installed`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from app.library.parsers.blocks import ParseError
from app.library.parsers.media import DOC, PPT, format_of
from app.library.pipeline.sandbox import ParsedChunks

WALL_S = 120.0
_POLL_S = 0.1
# The program ends with this after it has made a profile, and asks to be started again.
_START_AGAIN = 81
_STARTS = 3
_LAUNCHER = Path(__file__).with_name("office_child.py")
_PIPES = f"OSL_PIPE_{os.getuid()}_SingleOfficeIPC_*"
# For each kind the suffix of its files, the filter that reads it and no other, and the new suffix.
_KINDS = {DOC: (".doc", "MS Word 97", "docx"), PPT: (".ppt", "MS PowerPoint 97", "pptx")}
# No macros, no Java, no links followed, no questions asked.
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Link"><value>0</value></prop></item>
<item oor:path="/org.openoffice.Setup/Office"><prop oor:name="ooSetupInstCompleted"><value>true</value></prop></item>
</oor:items>
"""  # noqa: E501


def office_program() -> Path | None:
    """Return LibreOffice's program, or None where it is not installed."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        return None
    # The script that is usually started starts this one and stays beside it, beyond the reach of a kill.
    program = Path(found).resolve()
    return program.with_name("soffice.bin") if program.with_name("soffice.bin").is_file() else program


def media_type_of(error: ParseError) -> str | None:
    """Return the media type of the file that needs a conversion, as the error of its parser names it."""
    if error.code != "office_not_installed":
        return None
    labels = {entry.label: kind for kind in _KINDS if (entry := format_of(kind)) is not None}
    return labels.get(error.detail)


def read_converted(
    path: Path, read: Callable[[Path], ParsedChunks], should_stop: Callable[[], bool] | None = None
) -> ParsedChunks:
    """Read a file; convert it first when its parser asks for that. It keeps the media type that it had.

    Errors: those of `read` and `converted`.
    """
    try:
        return read(path)
    except ParseError as error:
        media_type = media_type_of(error)
        if media_type is None:
            raise
    with converted(path, media_type, should_stop) as new:
        return replace(read(new), media_type=media_type)


@contextmanager
def converted(path: Path, media_type: str, should_stop: Callable[[], bool] | None = None) -> Iterator[Path]:
    """Yield a new file with the content of an old one; it is deleted afterwards.

    Errors: ParseError with office_not_installed, broken_file, parse_timeout, parse_memory or `cancelled`.
    """
    program = office_program()
    suffix, import_filter, target = _KINDS[media_type]
    if program is None:
        entry = format_of(media_type)
        raise ParseError("office_not_installed", entry.label if entry is not None else media_type)
    with tempfile.TemporaryDirectory(prefix="refdesk-office-") as name:
        folder = Path(name)
        source = folder / f"document{suffix}"
        shutil.copyfile(path, source)
        (folder / "profile" / "user").mkdir(parents=True)
        (folder / "profile" / "user" / "registrymodifications.xcu").write_text(_SETTINGS)
        made = folder / "out" / f"document.{target}"
        command = [sys.executable, "-I", str(_LAUNCHER), str(folder), str(program)]
        command += [
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            f"-env:UNO_SHARED_PACKAGES_CACHE={(folder / 'shared').as_uri()}",
            *("--headless", "--norestore", "--nolockcheck", "--nodefault", "--nologo"),
            f"--infilter={import_filter}",
            *("--convert-to", target, "--outdir", str(made.parent), str(source)),
        ]
        deadline = time.monotonic() + WALL_S
        for _ in range(_STARTS):
            code = _run(command, folder, deadline, should_stop)
            if code != _START_AGAIN:
                break
        if code == -signal.SIGXCPU:
            raise ParseError("parse_timeout", "LibreOffice took too much CPU time")
        if code == -signal.SIGKILL:
            raise ParseError("parse_memory", "LibreOffice was ended")
        if code != 0 or not made.is_file():
            raise ParseError("broken_file", "LibreOffice cannot open it")
        yield made


def _run(command: list[str], folder: Path, deadline: float, should_stop: Callable[[], bool] | None) -> int:
    before = set(Path(tempfile.gettempdir()).glob(_PIPES))
    # Only these variables: a process that reads foreign files must not have the worker's passwords.
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_POLL_S)
            if time.monotonic() > deadline:
                raise ParseError("parse_timeout", f"{WALL_S:g} s for the conversion by LibreOffice")
            if should_stop is not None and should_stop():
                raise ParseError("cancelled")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # The confined program cannot remove its socket itself.
        for left in set(Path(tempfile.gettempdir()).glob(_PIPES)) - before:
            left.unlink(missing_ok=True)
