"""The user that PostgreSQL runs as: PostgreSQL refuses root, and root's folders are closed to all other users."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.embedded.process import launch_command
from app.lib.engine_error import EngineError


@dataclass(frozen=True)
class Identity:
    """The identity that the launcher gives a program; `owner`: the owner of its files, seen from outside."""

    spec: str = "same"
    owner: tuple[int, int] | None = None


SAME = Identity()


def unprivileged_account() -> pwd.struct_passwd:
    """Return an account that exists everywhere and owns nothing; initdb needs one with a name."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)


def identity_works(identity: Identity, probe: list[str]) -> bool:
    done = subprocess.run(
        launch_command(probe, identity=identity.spec), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


def root_identities() -> tuple[Identity, Identity]:
    """Return the identities that root can take for PostgreSQL, best first.

    In a user namespace no other account is involved and files stay root's. Plain containers forbid namespaces but let
    root become another account.
    """
    account = unprivileged_account()
    uid, gid = account.pw_uid, account.pw_gid
    return (
        Identity(f"namespace:{uid}:{gid}", (os.geteuid(), os.getegid())),
        Identity(f"account:{uid}:{gid}", (uid, gid)),
    )


def identity_find(probe: list[str]) -> Identity:
    """Find the first identity under which `probe` runs. Raises EngineError."""
    if os.geteuid() != 0 or sys.platform != "linux":
        return SAME
    for identity in root_identities():
        if identity_works(identity, probe):
            return identity
    raise EngineError(
        "PostgreSQL refuses to run as root, and here root may neither make a user namespace nor become another "
        "user. Start Refdesk as an ordinary user, or give a PostgreSQL server in REFDESK_DATABASE_URL."
    )


def folder_chown(folder: Path, identity: Identity) -> None:
    """Give `folder` and everything in it to the identity's user."""
    if identity.owner is None:
        return
    status = folder.stat()
    if (status.st_uid, status.st_gid) == identity.owner:
        return
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.lchown(Path(parent) / name, *identity.owner)
    # The folder comes last, so that an interrupted walk is repeated.
    os.chown(folder, *identity.owner)
