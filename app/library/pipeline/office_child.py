"""Confine this process and become LibreOffice: `office_child.py FOLDER PROGRAM ARGUMENTS…`, started by `office.py`.

It can read the system's programs and fonts, and write to its folder alone (Landlock, where the kernel has it); it can
open no socket but those between processes of this machine (seccomp); memory, CPU time and the size of files are
limited. It needs nothing but Python, and imports little, since it starts for each file.
"""

import ctypes
import os
import resource
import signal
import struct
import sys

_MEMORY_BYTES = 2048 * 1024 * 1024
_CPU_S = 90
_FILE_BYTES = 512 * 1024 * 1024

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
# Rights of Landlock's first version.
_EXECUTE, _WRITE, _READ, _LIST, _MAKE_SOCKET = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 9
_ALL = (1 << 13) - 1
_READABLE = (
    *("/usr", "/lib", "/lib64", "/bin", "/opt", "/sys/devices/system/cpu", "/etc/fonts", "/etc/libreoffice"),
    # Not the rest of /proc: other processes of ours have passwords in their environment.
    *("/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/filesystems"),
    *("/etc/ld.so.cache", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/locale.alias", "/etc/localtime"),
    *("/var/cache/fontconfig", "/var/lib/libreoffice"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

# By machine: the number of `socket`, and the name of the architecture for seccomp.
_SOCKET = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}
_IO_URING_SETUP = 425
_LOAD, _EQUALS, _GREATER_OR_EQUALS, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 13, 0x80000000
_AF_UNIX = 1
_X32 = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def main(folder: str, command: list[str]) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for what, limit in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _confine_files(folder, os.path.dirname(os.path.dirname(command[0])))  # noqa: PTH120
    _refuse_network()
    os.execv(command[0], command)  # noqa: S606  # the program that office.py names


def _confine_files(folder: str, installed: str) -> None:
    """Take away all files but the system's own, the program's and the folder. Kernels before 5.13 cannot."""
    rules = _libc.syscall(_LANDLOCK_CREATE, struct.pack("Q", _ALL), 8, 0)
    if rules < 0:
        return
    # A program in /bin is in a folder that may be read already; the one above it is everything.
    for path in (*_READABLE, *([installed] if len(installed) > 1 else [])):
        _allow(rules, path, _READ | _LIST | _EXECUTE)
    for path in _DEVICES:
        _allow(rules, path, _READ | _WRITE)
    # Where the program puts the socket by which it finds another one of the same profile.
    _allow(rules, "/tmp", _MAKE_SOCKET)  # noqa: S108  # the program knows no other place
    _allow(rules, folder, _ALL)
    if _libc.syscall(_LANDLOCK_RESTRICT, rules, 0):
        sys.exit("Landlock refuses")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):  # noqa: PTH112
        rights &= _READ | _WRITE | _EXECUTE
    _libc.syscall(_LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
    os.close(place)


def _refuse_network() -> None:
    """Refuse sockets of all families but the local one, and the interface that could open them otherwise."""
    number, architecture = _SOCKET[os.uname().machine]
    steps = (
        (_LOAD, 0, 0, 4),
        (_EQUALS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_GREATER_OR_EQUALS, 4, 0, _X32),
        (_EQUALS, 3, 0, _IO_URING_SETUP),
        (_EQUALS, 0, 3, number),
        (_LOAD, 0, 0, 16),
        (_EQUALS, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.cast(code, ctypes.c_void_p))
    if _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0):
        sys.exit("seccomp refuses")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
