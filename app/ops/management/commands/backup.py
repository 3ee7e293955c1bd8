import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from app.accounts.audit.trail import audit_record
from app.errors import RefdeskError
from app.ops.archive.writing import Unwritable
from app.ops.backup import Made, backup_make
from app.ops.database_programs import ProgramFailed

INCOMPLETE = 3


class Command(BaseCommand):
    help = "Write everything needed to make this box again into one file, while it runs. Status 3: files are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, default=Path(), help="file or folder; default: this folder")
        parser.add_argument("--exports", action="store_true", help="with the files of finished exports")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"].expanduser().resolve()
        if path.is_dir():
            path /= f"refdesk-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
        elif path.suffix != ".tar":
            raise CommandError(f"{path} is no folder, and a backup's name ends in .tar.")
        began = time.monotonic()
        try:
            made = backup_make(path=path, exports=options["exports"], say=self._say)
        except (Unwritable, ProgramFailed) as error:
            raise CommandError(f"There is no backup: {error}") from error
        except RefdeskError as error:
            raise CommandError(f"There is no backup: {error.message} {error.hint}") from error
        except OSError as error:
            raise CommandError(f"There is no backup: {path} could not be written: {error.strerror}.") from error
        with transaction.atomic():
            audit_record(organisation=None, action="box.backed_up", target_name=path.name, after={"bytes": made.bytes})
        self._show(made, time.monotonic() - began)

    def _say(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()

    def _show(self, made: Made, seconds: float) -> None:
        self.stdout.write(
            f"{made.path}: {made.rows} rows, {made.documents} documents, {made.files['objects']} files, "
            f"{made.bytes / 10**6:,.1f} MB, {seconds:.1f} s."
        )
        self.stdout.write("It holds every document, the key that signs sessions, and passwords of other servers in "
                          "its settings: keep it as you keep those, and not on this disk alone.")  # fmt: skip
        if made.missing:
            self.stderr.write(f"{len(made.missing)} files are not in it, because the file store does not have them "
                              f"whole: {', '.join(made.missing[:5])}. manage.py check_store says whose.")  # fmt: skip
            raise SystemExit(INCOMPLETE)
