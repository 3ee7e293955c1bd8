"""Take a backup into a new stack before any part of it runs: check it, store it for the restore, take its secrets.

`init` does this, because it alone sees the vault. A box with other secrets is refused and stays unchanged.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from app import env
from app.appliance.secrets_files import APP
from app.backup.archive.reading import (
    KEYCLOAK_ADMIN,
    OIDC_CLIENT,
    SECRET_KEY,
    SECRETS_KEYS,
    Archive,
    Unusable,
    archive_open,
)
from app.embedded.secret import file_write_private

# In the volume scratch, which the restore sees as /data.
ARRIVED = "arrived.tar"
# The signing key comes last: a vault that has it has the others.
SEEDS = {
    "oidc_client": OIDC_CLIENT,
    "keycloak_admin": KEYCLOAK_ADMIN,
    "secrets_keys": SECRETS_KEYS,
    "secret_key": SECRET_KEY,
}
# Without the keys of credentials: those of .env and those of the backup work side by side.
GIVEN = {"oidc_client": "REFDESK_OIDC_CLIENT_SECRET", "secret_key": "REFDESK_SECRET_KEY"}
# PostgreSQL stops when the disk is full.
KEEP_FREE_BYTES = 256 * 1024 * 1024


def backup_arrive(root: Path, source: BinaryIO, size: int) -> str:
    """Store `source` (of `size` bytes) in `root`/volumes/scratch, its secrets in `root`/vault; return a line to show.

    Raises Unusable, OSError.
    """
    folder = root / "volumes" / "scratch"
    # Room for the file here, and for its content in the stores.
    if shutil.disk_usage(folder).free < 2 * size + KEEP_FREE_BYTES:
        raise Unusable(f"The restore takes {2 * size // 10**6:,} MB on the disk of Docker's volumes, which has less.")
    # Written beside an earlier backup, which a running restore may be reading.
    draft = folder / f"{ARRIVED}.part"
    try:
        with draft.open("wb") as file:
            shutil.copyfileobj(source, file, 1024 * 1024)
        draft.chmod(0o600)
        os.chown(draft, APP, APP)
        archive = archive_open(draft)
        _vault_seed(root / "vault", archive)
        draft.replace(folder / ARRIVED)
    finally:
        draft.unlink(missing_ok=True)
    return f"The backup of {archive.manifest['made']} is whole."


def _vault_seed(vault: Path, archive: Archive) -> None:
    """Put the secrets of the backup into the folder of secrets. Raises Unusable."""
    seeds = {name: archive.read(member).decode() for name, member in SEEDS.items() if archive.holds(member)}
    for name, secret in seeds.items():
        path = vault / name
        given = env.read(GIVEN[name]) if name in GIVEN else None
        if given not in (None, secret):
            raise Unusable(f"{GIVEN[name]} in .env is another than the backup's. Leave it out, or give the backup's: "
                           f"`tar -xOf FILE {SEEDS[name]}` prints it.")  # fmt: skip
        if path.exists() and path.read_text().strip() != secret:
            raise Unusable("This stack has secrets of its own: it was started before. A restore goes into an empty one "
                           "only; scripts/down --erase-everything removes what is here.")  # fmt: skip
    for name, secret in seeds.items():
        if not (vault / name).exists():
            file_write_private(vault / name, secret + "\n")
