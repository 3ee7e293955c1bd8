"""Confinement of the program that reads recordings: no network, no other program, no file written, bounded memory.

The filter of system calls binds all threads of the process, also those that its libraries have started already.
"""

import ctypes
import os
import platform
import resource
import signal
from contextlib import suppress
from pathlib import Path

# Besides the loaded model: samples, features of a window, a decoder's state.
MEMORY_BYTES = 512 * 1024 * 1024
# Of all processors together; a recording of eight hours takes a tenth of it with the packaged models.
CPU_S = 48 * 3600
_FILES_OPEN = 64
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000
_EACCES = 13
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# Numbers of the kernel: seccomp itself, the machine for its audit, and the calls that are refused: socket,
# connect, execve, execveat, ptrace, io_uring_setup, unlink, unlinkat, rename, renameat, renameat2.
_MACHINES = {
    "x86_64": (317, 0xC000003E, (41, 42, 59, 322, 101, 425, 87, 263, 82, 264, 316)),
    "aarch64": (277, 0xC00000B7, (198, 203, 221, 281, 117, 425, 35, 38, 276)),
}
_X32 = 0x40000000  # calls of another table on the same machine


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def confine(parent: int, *, memory_bytes: int = MEMORY_BYTES) -> None:
    """Confine this process for the rest of its life, after its model is loaded. parent: it ends with that process."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    # When the machine runs out of memory, the kernel should kill this process first.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + memory_bytes
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES_OPEN),
    ):
        resource.setrlimit(what, (limit, limit))
    _calls_refuse(libc)


def _calls_refuse(libc: ctypes.CDLL) -> None:
    """Have the kernel refuse the calls of `_MACHINES` with EACCES; other machines have the limits alone."""
    if platform.machine() not in _MACHINES:
        return
    seccomp, machine, refused = _MACHINES[platform.machine()]
    count = len(refused)
    # Jumps are counted from the next row; the last two rows allow and refuse.
    rows = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, count + 3, machine),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, count + 1, 0, _X32),
        *((_EQUAL, count - place, 0, number) for place, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | _EACCES),
    ]
    program = _Program(len(rows), (_Instruction * len(rows))(*(_Instruction(*row) for row in rows)))
    # Where a kernel or its container refuses filters, the limits and the closed list of formats remain.
    libc.syscall(seccomp, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program))
