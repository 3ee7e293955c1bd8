import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from app.audit.trail import audit_record
from app.backup.archive.writing import Unwritable
from app.backup.create import Beside, Made, backup_make, nothing
from app.backup.keycloak_backup import keycloak_dump, keycloak_find
from app.backup.pg_dump import ProgramFailed
from app.errors import RefdeskError

INCOMPLETE = 3
# Folder, below the data folder, in which a backup is written before it is sent.
SPOOL = "backups"
# scripts/restore reads from this what to restore into.
APPLIANCE = {"box": "appliance"}


class Command(BaseCommand):
    help = "Write everything needed to make this box again into one file, while it runs. Status 3: files are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, default=Path(), help="file or folder; default: this folder")
        parser.add_argument("--stream", action="store_true", help="of the appliance, to standard output; no PATH")
        parser.add_argument("--keycloak", type=Path, help="folder of Keycloak's secrets: with its rows")
        parser.add_argument("--exports", action="store_true", help="with the files of finished exports")

    def handle(self, *args: Any, **options: Any) -> None:
        stream: bool = options["stream"]
        if stream:
            # Messages must not mix with the file on stdout.
            self.stdout = self.stderr
        path: Path = (settings.DATA / SPOOL if stream else options["path"]).expanduser().resolve()
        if stream:
            path.mkdir(mode=0o700, exist_ok=True)
        if path.is_dir():
            path /= f"refdesk-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
        elif path.suffix != ".tar":
            raise CommandError(f"{path} is no folder, and a backup's name ends in .tar.")
        began = time.monotonic()
        try:
            beside = self._beside(options["keycloak"]) if stream else nothing
            made = backup_make(
                path=path, exports=options["exports"], say=self._say, copies=2 if stream else 1, beside=beside
            )
            if stream:
                self._send(path)
        except (Unwritable, ProgramFailed) as error:
            raise CommandError(f"There is no backup: {error}") from error
        except RefdeskError as error:
            raise CommandError(f"There is no backup: {error.message} {error.hint}") from error
        except OSError as error:
            raise CommandError(f"There is no backup: {path} could not be written: {error.strerror}.") from error
        with transaction.atomic():
            audit_record(organisation=None, action="box.backed_up", target_name=path.name, after={"bytes": made.bytes})
        self._show(made, time.monotonic() - began, name=path.name if stream else str(path))

    def _beside(self, folder: Path | None) -> Beside:
        keycloak = keycloak_find(folder) if folder else None
        if keycloak is None:
            self._say("Another provider signs people in: nothing of Keycloak's is in it.")
            return lambda writer: APPLIANCE
        return lambda writer: {**APPLIANCE, **keycloak_dump(writer, keycloak)}

    def _send(self, path: Path) -> None:
        """Copy the file to standard output. It is unlinked first, so that it disappears with this process."""
        with path.open("rb") as file:
            path.unlink()
            shutil.copyfileobj(file, sys.stdout.buffer, 1024 * 1024)
            sys.stdout.buffer.flush()

    def _say(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()

    def _show(self, made: Made, seconds: float, *, name: str) -> None:
        self.stdout.write(
            f"{name}: {made.rows} rows, {made.documents} documents, {made.files['objects']} files, "
            f"{made.bytes / 10**6:,.1f} MB, {seconds:.1f} s."
        )
        self.stdout.write("It holds every document, the key that signs sessions, and passwords of other servers in "
                          "its settings: keep it as you keep those, and not on this disk alone.")  # fmt: skip
        if made.missing:
            self.stderr.write(f"{len(made.missing)} files are not in it, because the file store does not have them "
                              f"whole: {', '.join(made.missing[:5])}. manage.py check_store says whose.")  # fmt: skip
            raise SystemExit(INCOMPLETE)
