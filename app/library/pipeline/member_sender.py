"""Send the files inside a file from the child that reads it, one after the other, in frames.

A frame is a letter, the length of its content (8 bytes, little endian) and the content: `N` begins a file (JSON: path,
media type), `D` has some of its bytes, `F` ends it (JSON: the error of this file, if any), `Z` ends the answer (JSON:
the number of files that were left out, and the error that ended the reading, if any).
"""

import socket
from pathlib import Path
from typing import Any

import orjson

from app.library.parsers.blocks import ParseError
from app.library.parsers.limits import MEBIBYTE, Limits
from app.library.parsers.members import Member, members


class _CallerGone(Exception):
    """Raised when nobody reads the answer any more."""


def members_send(answer: socket.socket, request: dict[str, Any], limits: Limits) -> None:
    """Send the members of a file. Raises MemoryError when there is too little for them."""
    sender = _Sender(answer, Path(request["path"]), limits)
    end: dict[str, Any] = {}
    try:
        for member in members(sender.path, request["media_type"], limits):
            sender.send(member)
    except _CallerGone:
        return
    except ParseError as error:
        end = {"error": error.code, "detail": error.detail}
    except MemoryError:
        raise
    except Exception as error:  # the boundary of the sandbox: every error of a parser is reported
        end = {"error": "parse_crashed", "detail": type(error).__name__}
    sender.frame(b"Z", orjson.dumps({"left_out": sender.left_out, **end}))


class _Sender:
    def __init__(self, answer: socket.socket, path: Path, limits: Limits) -> None:
        self.answer, self.path, self.limits = answer, path, limits
        self.sent = self.left_out = 0
        # An archive of files that do not shrink is no bomb, whatever its size.
        self.remaining = max(limits.expanded_bytes, 2 * path.stat().st_size)

    def frame(self, kind: bytes, content: bytes) -> None:
        try:
            self.answer.sendall(kind + len(content).to_bytes(8, "little") + content)
        except OSError as error:
            raise _CallerGone from error

    def send(self, member: Member) -> None:
        """Send a file, or count it as left out when the limits are reached."""
        if self.sent >= self.limits.members or self.remaining <= 0:
            self.left_out += 1
            return
        self.sent += 1
        self.frame(b"N", orjson.dumps({"path": member.path, "media_type": member.media_type}))
        self.frame(b"F", orjson.dumps(self._content(member)))

    def _content(self, member: Member) -> dict[str, str]:
        """Send the bytes of a file; return its error, if it cannot be read to its end."""
        try:
            for piece in member.pieces():
                self.remaining -= len(piece)
                if self.remaining < 0:
                    total = self.limits.expanded_bytes / MEBIBYTE
                    raise ParseError("file_too_complex", f"more than {total:,.0f} MiB of files")
                self.frame(b"D", piece)
        except (_CallerGone, MemoryError):
            raise
        except ParseError as error:
            return {"error": error.code, "detail": error.detail}
        except Exception as error:  # as above: of one file alone
            return {"error": "parse_crashed", "detail": type(error).__name__}
        return {}
