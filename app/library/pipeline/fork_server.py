"""The process that forks children to read files; `sandbox.py` starts it and sends it requests.

It has one thread, has loaded the parsers and never reads a file itself. A request is one message with a socket: the
child writes its answer there, and is killed when that socket is closed. With a second socket the child receives
requests for further files there. When the control socket closes, because the program that started this process has
ended for any reason, the process kills its children and ends.
"""

import ctypes
import gc
import os
import resource
import selectors
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import orjson

from app.library.parsers import parse
from app.library.parsers.blocks import (
    Parsed,
    ParseError,
    blocks_from_json,
    blocks_to_json,
    recording_seconds,
    text_length,
)
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import Limits
from app.library.parsers.media import PDF, PRELOADED
from app.library.parsers.pdf import parse as pdf_parse
from app.library.parsers.scans import picture_parse, scans_load
from app.library.pipeline.chunking import chunk
from app.library.pipeline.member_sender import members_send
from app.library.pipeline.tokens import counter_for

IDLE_S = 60.0
# A request holds a path, a name of 300 characters and the limits.
MESSAGE_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_FILES_OPEN = 32
# Most files that one child reads, all of one organisation, each within 2 s of the last: a fork costs more than reading
# a small file.
FILES_OF_A_CHILD = 32
NEXT_FILE_S = 2.0

_libc = ctypes.CDLL(None, use_errno=True)


def main(control_fd: int) -> None:
    control = socket.socket(fileno=control_fd)
    # Ctrl-C reaches the whole process group of a terminal; only the program that started this one reacts to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load()
    _ForkServer(control).run()


def _load() -> None:
    """Load everything that children use, so that they share it."""
    for parser in PRELOADED:
        import_module(f"app.library.parsers.{parser}")
    counter_for("all-MiniLM-L6-v2")
    gc.collect()
    # A collection in a child would write to every shared page, and so copy it.
    gc.freeze()


class _ForkServer:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ, None)
        # The pidfd and the socket of each child, by file descriptor.
        self.children: dict[int, tuple[int, int, socket.socket]] = {}

    def run(self) -> None:
        while True:
            events = self.selector.select(None if self.children else IDLE_S)
            if not events:
                return
            # Children first: a new request may get the number of a descriptor that another event of this round has.
            for key, _ in events:
                if key.data is not None:
                    self.attend(key.fd, key.data)
            if any(key.data is None for key, _ in events) and not self.accept():
                self.kill_all()
                return

    def accept(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self.control, MESSAGE_BYTES, 2)
        if not message or not fds:
            return False
        answer = socket.socket(fileno=fds[0])
        further = socket.socket(fileno=fds[1]) if len(fds) > 1 else None
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            _run_child(answer, further, orjson.loads(message), self.inherited(), server)
        if further is not None:
            further.close()
        pidfd = os.pidfd_open(pid)
        self.children[pidfd] = (pid, pidfd, answer)
        self.selector.register(pidfd, selectors.EVENT_READ, pidfd)
        # No data is ever sent on this socket here: readable means closed.
        self.selector.register(answer, selectors.EVENT_READ, pidfd)
        return True

    def inherited(self) -> list[int]:
        """Return the descriptors that a child must close, so that other children's sockets do not stay open."""
        descriptors = [self.control.fileno(), self.selector.fileno()]
        for _, pidfd, answer in self.children.values():
            descriptors += [pidfd, answer.fileno()]
        return descriptors

    def attend(self, fd: int, pidfd: int) -> None:
        if pidfd not in self.children:
            return
        pid, _, answer = self.children[pidfd]
        if fd != pidfd:
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        end = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "rss": usage.ru_maxrss * 1024}
        self.selector.unregister(pidfd)
        self.selector.unregister(answer)
        del self.children[pidfd]
        os.close(pidfd)
        # If the caller has closed the socket nobody reads this; if the buffer is full it holds a complete answer.
        with answer, suppress(OSError):
            answer.send(b"E" + orjson.dumps(end), socket.MSG_DONTWAIT)

    def kill_all(self) -> None:
        for pid, _, _ in self.children.values():
            os.kill(pid, signal.SIGKILL)


def _run_child(
    answer: socket.socket, further: socket.socket | None, request: dict[str, Any], inherited: list[int], server: int
) -> NoReturn:
    """Read a file and write `J` + length + JSON, then do the same for further files, and end the process.

    inherited: the parent's descriptors, which are closed first.
    """
    code = 1
    # A large file makes millions of objects and few cycles: the default threshold costs a third of the time.
    gc.set_threshold(100_000, 20, 20)
    try:
        for fd in inherited:
            os.close(fd)
        limits = Limits(**request["limits"])
        _confine(limits, server, files=FILES_OF_A_CHILD if further is not None else 1)
        if request.get("members"):
            members_send(answer, request, limits)
            further = None
        while not request.get("members"):
            body = _answer(request, Limits(**request["limits"]))
            answer.sendall(b"J" + len(body).to_bytes(8, "little") + body)
            following = _next_request(further) if further is not None else None
            if following is None:
                break
            request = following
            _cpu_limit(limits)
        code = 0
    except MemoryError:
        os.write(answer.fileno(), b"M")
    finally:
        os._exit(code)


def _next_request(further: socket.socket) -> dict[str, Any] | None:
    """Wait for another file; return None after NEXT_FILE_S, or when the sender is gone."""
    further.settimeout(NEXT_FILE_S)
    try:
        message = further.recv(MESSAGE_BYTES)
    except (TimeoutError, OSError):
        return None
    request: dict[str, Any] | None = orjson.loads(message) if message else None
    return request


def _cpu_limit(limits: Limits) -> None:
    """Give the next file as much processor time as the first one had."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime) + limits.cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard), hard))


def _confine(limits: Limits, server: int, *, files: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    # When the machine runs out of memory, the kernel should kill this process first.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 0)
    for what, soft, hard in (
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s * files + 1),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, _FILES_OPEN, _FILES_OPEN),
    ):
        resource.setrlimit(what, (soft, hard))


def _answer(request: dict[str, Any], limits: Limits) -> bytes:
    path = Path(request["path"])
    try:
        parsed = _parsed(path, request, limits)
        drafts = chunk(
            parsed,
            target_tokens=request["target_tokens"],
            overlap_tokens=request["overlap_tokens"],
            max_tokens=request["max_tokens"],
            count=counter_for(request["counter"]),
        )
    except ParseError as error:
        return orjson.dumps({"error": error.code, "detail": error.detail})
    except MemoryError:
        raise
    except Exception as error:  # the boundary of the sandbox: every error of a parser is reported
        return orjson.dumps({"error": "parse_crashed", "detail": type(error).__name__})
    head = orjson.dumps(
        {
            "media_type": parsed.media_type,
            "pages": parsed.pages,
            "seconds": recording_seconds(parsed),
            "title": parsed.title,
            "warnings": parsed.warnings,
            "text_chars": text_length(parsed.blocks),
            "members": parsed.members,
            "drafts": [
                (draft.text, draft.tokens, draft.start, draft.end, draft.context, draft.place.to_json())
                for draft in drafts
            ],
        }
    )
    return len(head).to_bytes(8, "big") + head + blocks_to_json(parsed)


def _parsed(path: Path, request: dict[str, Any], limits: Limits) -> Parsed:
    if request["is_blocks"]:
        return blocks_from_json(path.read_bytes())
    media_type = detect_media_type(path, request["name"])
    if not request["scans"]:
        return parse(path, media_type, limits)
    scans = scans_load(Path(request["scans"]))
    return pdf_parse(path, limits, scans) if media_type == PDF else picture_parse(scans, media_type, limits)


if __name__ == "__main__":
    main(int(sys.argv[1]))
