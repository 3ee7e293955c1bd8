"""Whether a recording's file ends before its container says that it does, by the container's own lengths."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# Sizes of recordings whose writer did not know them.
_UNKNOWN_32 = (0, 0xFFFFFFFF)
_HEAD = 64 * 1024
# Longest page of an Ogg file: 27 bytes, 255 sizes, 255 segments of 255 bytes.
_OGG_PAGE = 27 + 255 + 255 * 255
_OGG_LAST = 4
_BOXES = 10_000


def is_cut_short(path: Path, media_type: str) -> bool:
    """Return whether the last part of a file is missing, as far as its container tells."""
    check = _CHECKS.get(media_type)
    if check is None:
        return False
    with path.open("rb") as file:
        return check(file, path.stat().st_size)


def states_length(path: Path, media_type: str) -> bool:
    """Return whether a file states its duration, instead of having it guessed from its first frames and its size."""
    if media_type == "audio/aac":
        return False
    if media_type != "audio/mpeg":
        return True
    with path.open("rb") as file:
        head = file.read(10)
        # Pictures in an ID3 tag come before the first frame.
        size = (
            sum((byte & 0x7F) << (21 - 7 * place) for place, byte in enumerate(head[6:10])) if head[:3] == b"ID3" else 0
        )
        file.seek(size)
        head = file.read(_HEAD)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def _riff(file: BinaryIO, size: int) -> bool:
    stated = int.from_bytes(file.read(8)[4:], "little")
    return stated not in _UNKNOWN_32 and stated + 8 > size + 1


def _aiff(file: BinaryIO, size: int) -> bool:
    stated = int.from_bytes(file.read(8)[4:], "big")
    return stated not in _UNKNOWN_32 and stated + 8 > size + 1


def _mp4(file: BinaryIO, size: int) -> bool:
    at = 0
    for _ in range(_BOXES):
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            # 0: up to the end of the file.
            return False
        at += length
        if at >= size:
            return at > size
    return False


def _matroska(file: BinaryIO, size: int) -> bool:
    head = file.read(4096)
    at = head.find(b"\x18\x53\x80\x67")
    if at < 0 or at + 5 > len(head):
        return False
    first = head[at + 4]
    width = 9 - first.bit_length()
    if not 1 <= width <= 8:
        return False
    bits = 7 * width
    length = int.from_bytes(head[at + 4 : at + 4 + width], "big") & ((1 << bits) - 1)
    # All ones: not known when the file was begun.
    return length != (1 << bits) - 1 and at + 4 + width + length > size


def _ogg(file: BinaryIO, size: int) -> bool:
    """Return whether the last whole page is not marked as the last one."""
    file.seek(max(0, size - 2 * _OGG_PAGE))
    tail = file.read()
    at = tail.rfind(b"OggS")
    return 0 <= at < len(tail) - 5 and not tail[at + 5] & _OGG_LAST


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "audio/wav": _riff,
    "video/x-msvideo": _riff,
    "audio/aiff": _aiff,
    "audio/mp4": _mp4,
    "video/mp4": _mp4,
    "video/webm": _matroska,
    "video/x-matroska": _matroska,
    "audio/ogg": _ogg,
}
