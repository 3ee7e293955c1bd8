"""Draw page pictures for the source panel in a child process, and cache them by the hash of the file."""

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from django.conf import settings

from app.errors import NotFound, RefdeskError
from app.lib.storage import ObjectMissing, storage
from app.library.parsers.media import PDF
from app.library.selectors.documents import version_shown

CHILD = Path(__file__).with_name("render_page.py")
# The kinds of files with pages, as render_page.py and Pillow call them.
KINDS = {
    PDF: "PDF",
    **{f"image/{kind.lower()}": kind for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")},
}
NO_PAGE = 3
DRAW_S, WAIT_S = 25.0, 10.0
AT_ONCE = 2
# About 2,000 pages; those not read for the longest time are removed first.
CACHE_BYTES = 512 * 1024 * 1024
PRUNE_EVERY = 50

_slots = threading.BoundedSemaphore(AT_ONCE)
_drawn = 0


def page_picture(*, organisation: UUID, document: UUID, page: int, version: int | None = None) -> Path:
    """Return the picture (PNG) of a page, counted from 1. Its name consists of the file's SHA-256 and the page.

    version: a number; None: the version that is shown.

    Raises:
        NotFound: no such document, version or page here, or one of a kind without pages.
        RefdeskError: file_missing, broken_file or too_many_requests.
    """
    row = version_shown(organisation=organisation, document=document, number=version)
    kind = KINDS.get(row.media_type)
    if kind is None or not 1 <= page <= (row.pages or 0):
        raise NotFound(message="This document has no such page.")
    cached = _folder() / f"{row.sha256}-{page}.png"
    if cached.is_file():
        with contextlib.suppress(OSError):
            cached.touch()
        return cached
    if not _slots.acquire(timeout=WAIT_S):
        raise RefdeskError("too_many_requests", retry_after_s=5)
    try:
        with storage().local_path(row.storage_key) as source:
            _draw(source, kind, page, cached)
    except ObjectMissing as error:
        raise RefdeskError("file_missing") from error
    finally:
        _slots.release()
    return cached


def _folder() -> Path:
    folder: Path = settings.DATA / "cache" / "pages"
    return folder


def pictures_of(hashes: Collection[str]) -> list[Path]:
    """Return the cached pictures of the files with these SHA-256."""
    return [path for path in _folder().glob("*.png") if path.name.partition("-")[0] in hashes]


def pictures_forget(hashes: Collection[str]) -> int:
    """Remove the pictures of deleted files, and return how many there were.

    For another organisation that has such a file they are drawn again.
    """
    found = pictures_of(hashes)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _draw(source: Path, kind: str, page: int, target: Path) -> None:
    global _drawn
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / "page.png"
        # Without our environment: a process that reads foreign files must have no passwords.
        command = [sys.executable, "-I", str(CHILD), str(source), kind, str(page), str(made)]
        try:
            ended = subprocess.run(
                command, env={"MALLOC_ARENA_MAX": "1"}, stdin=subprocess.DEVNULL, capture_output=True, timeout=DRAW_S
            )
        except subprocess.TimeoutExpired as error:
            raise RefdeskError("broken_file", "This page takes too long to draw.") from error
        if ended.returncode == NO_PAGE:
            raise NotFound(message="This document has no such page.")
        if ended.returncode != 0 or not made.is_file():
            raise RefdeskError("broken_file", "This page cannot be drawn.")
        made.replace(target)
    _drawn += 1
    if _drawn % PRUNE_EVERY == 1:
        _prune(target.parent)


def _prune(folder: Path) -> None:
    pictures = []
    for path in folder.glob("*.png"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            pictures.append((stat.st_mtime, stat.st_size, path))
    total = sum(size for _, size, _ in pictures)
    for _, size, path in sorted(pictures):
        if total <= CACHE_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= size
