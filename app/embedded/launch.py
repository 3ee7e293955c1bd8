"""Run a program as a child that ends with its parent, under another identity if one is given.

    python -I -S launch.py PARENT_PID SIGNAL IDENTITY PROGRAM [ARGUMENT...]

SIGNAL is the number of the signal that the kernel sends to the program when its parent dies, however it dies. IDENTITY
is `same`, `namespace:UID:GID` or `account:UID:GID`. This is a program and not a `preexec_fn`, which runs between fork
and exec, where a parent with threads can deadlock. The signal is tied to the thread that started the child, so start
children from a thread that lives as long as the process (the main one).

Exit 97: the parent was gone before the program began. Exit 98: this machine does not allow the identity. Only the
standard library, and little of it, is imported, because this runs once for every process that is started.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000

PARENT_GONE = 97
NOT_ALLOWED = 98


def check_call(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter_namespace(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    """Become `uid` inside a namespace that maps this number to our outer user.

    Files keep their owner, and folders closed to others stay reachable, but `geteuid()` is not 0.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    check_call(libc.unshare(CLONE_NEWUSER))
    # Without privileges the kernel accepts a group map only after setgroups is denied.
    for name, value in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)


def become_account(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    """Become another account with one right: access to folders closed to it (a clone under /root, mode 0700)."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    check_call(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << CAP_DAC_OVERRIDE
    # Two triples of effective, permitted, inheritable: for the low and the high 32 capabilities.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    check_call(libc.capset(header, sets))
    check_call(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def take_identity(libc: ctypes.CDLL, identity: str) -> None:
    if identity == "same":
        return
    kind, uid, gid = identity.split(":")
    change = {"namespace": enter_namespace, "account": become_account}[kind]
    change(libc, int(uid), int(gid))


def main(arguments: list[str]) -> int:
    parent, death_signal, identity, *program = arguments
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            take_identity(libc, identity)
        except OSError as error:
            sys.stderr.write(f"cannot run as {identity}: {error}\n")
            return NOT_ALLOWED
        # After the change of identity: the kernel clears the signal when the effective user changes.
        check_call(libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0))
        if os.getppid() != int(parent):
            return PARENT_GONE
    return os.execvp(program[0], program)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
