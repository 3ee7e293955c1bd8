import fcntl
import json
import logging
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.backup.archive.reading import KEYCLOAK_DUMP, SETTINGS, Archive, Unusable, archive_open
from app.backup.create import settings_kept
from app.backup.keycloak_backup import Keycloak, keycloak_check, keycloak_end, keycloak_find, keycloak_load
from app.backup.pg_dump import ProgramFailed
from app.backup.restore import NotEmpty, Restored, embedding_models_differ, restore_check, restore_run
from app.embedded.secret import file_write_private
from app.errors import RefdeskError
from app.operations.health import engines_check

WAIT_S = 120.0
# The command works on when its script is killed, so a lock keeps a second one away; on a box the supervisor does.
LOCK = "restore.lock"


class Command(BaseCommand):
    help = "Put a backup into this box, which must be empty and whose web and worker must not run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--appliance", action="store_true", help="wait for the stores; remove FILE afterwards")
        parser.add_argument("--keep-files", action="store_true", help="files that the backup lacks may be there")
        parser.add_argument("--keycloak", type=Path, help="folder of Keycloak's secrets: its rows too")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].expanduser().resolve()
        self.keep_files: bool = options["keep_files"]
        if not options["appliance"]:
            self._run(path, options["keycloak"], appliance=False)
            return
        with (settings.DATA / LOCK).open("a") as lock:
            try:
                # The kernel releases the lock when its process ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError("Another restore is at work here. scripts/status shows it.") from None
            try:
                self._run(path, options["keycloak"], appliance=True)
            finally:
                path.unlink(missing_ok=True)

    def _run(self, path: Path, keycloak_folder: Path | None, *, appliance: bool) -> None:
        began = time.monotonic()
        # Every vector is missing at this point, as expected, so warnings about it are suppressed.
        logging.getLogger("app.library.reconcile.reconciler").setLevel(logging.ERROR)
        try:
            if appliance:
                self._await_stores()
            archive, done = self._restore(path, keycloak_folder)
        except (Unusable, NotEmpty) as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        except RefdeskError as error:
            raise CommandError(f"The restore is not finished: {error.message} {error.hint} Run it again.") from error
        except (ProgramFailed, OSError) as error:
            raise CommandError(f"The restore is not finished: {error}\nRun it again.") from error
        self._show(archive, done, time.monotonic() - began, appliance=appliance)

    def _restore(self, path: Path, keycloak_folder: Path | None) -> tuple[Archive, Restored]:
        self._say("Comparing the backup with its digests …")
        archive = archive_open(path)
        resumed = restore_check(archive, keep_files=self.keep_files)
        keycloak = self._keycloak(archive, keycloak_folder)
        loaded = keycloak is None or keycloak_check(archive, keycloak)
        self._await_embeddings()
        if model := embedding_models_differ(archive):
            self._say(f"The embedding model here is {model}, another than the backup's: search finds nothing in "
                      "its documents until they are uploaded again or the model is the same.")  # fmt: skip
        differs: list[str] = []
        if keycloak is not None and not loaded:
            self._say("Loading Keycloak's rows …")
            differs = keycloak_load(archive, keycloak)
        done = restore_run(archive=archive, resumed=resumed, say=self._say)
        done.differs += differs
        if keycloak is not None:
            keycloak_end(keycloak)
        return archive, done

    def _keycloak(self, archive: Archive, folder: Path | None) -> Keycloak | None:
        """Return the Keycloak for the backup's rows; None when there is none."""
        keycloak = keycloak_find(folder) if folder else None
        if archive.holds(KEYCLOAK_DUMP):
            if keycloak is None:
                self._say("Keycloak's rows stay in the backup: another provider signs people in here, or none.")
            return keycloak
        if keycloak is not None:
            self._say("The backup has no rows of Keycloak: its realm begins anew, without people.")
        return None

    def _say(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()

    def _await_stores(self) -> None:
        """Wait for the stores; make the bucket too. Raises CommandError."""
        deadline = time.monotonic() + WAIT_S
        while silent := [name for name, said in engines_check().items() if not said["ok"]]:
            if time.monotonic() > deadline:
                raise CommandError(f"These do not answer: {', '.join(silent)}. Nothing was changed.")
            time.sleep(0.5)

    def _await_embeddings(self) -> None:
        """Wait for the embedding engine, which loads its model before it responds."""
        from app.llm.embeddings import environment_client

        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                environment_client().space()
            except RefdeskError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return

    def _show(self, archive: Archive, done: Restored, seconds: float, *, appliance: bool) -> None:
        made, version = archive.manifest["made"], archive.manifest["version"]
        self.stdout.write(
            f"Restored the backup of {made} (Refdesk {version}) in {seconds:.1f} s: {done.rows} rows, "
            f"{done.files['objects']} files, {done.files['exports']} exports; {done.vectors} vectors made again."
        )
        if done.again:
            self.stdout.write(f"{done.again} documents are made searchable by the worker after the next start.")
        self._show_settings(archive, appliance=appliance)
        call_command("audit_verify", stdout=self.stdout)
        missing = archive.manifest["missing"]
        if missing:
            self.stderr.write(f"{len(missing)} files were missing when the backup was made: upload them again.")
        if done.differs or not self._agrees(archive, done):
            self.stderr.write("\n".join(["Rows, vectors and files do not agree with the backup:", *done.differs]))
            self.stderr.write("manage.py check_store says more, once Refdesk runs.")
            raise SystemExit(1)
        self.stdout.write("Rows, vectors and files agree.")

    def _agrees(self, archive: Archive, done: Restored) -> bool:
        """Return whether rows, vectors and files agree, apart from differences that were expected."""
        if done.report is None:
            return False
        known = {"other_model"} | ({"missing_objects"} if archive.manifest["missing"] else set())
        known |= {"missing_points"} if done.again else set()
        known |= {"orphan_objects"} if self.keep_files else set()
        return not any(one.count for name, one in done.report.findings().items() if name not in known)

    def _show_settings(self, archive: Archive, *, appliance: bool) -> None:
        """Name the settings that differ from the backup's; their values go into a file, as some are passwords."""
        kept: dict[str, str] = json.loads(archive.read(SETTINGS))
        now = settings_kept()
        other = {name: value for name, value in kept.items() if now.get(name) != value}
        if other and appliance:
            self.stdout.write(f"Set otherwise when the backup was made: {', '.join(sorted(other))}. "
                              f"`tar -xOf FILE {SETTINGS}` shows the values; .env is where they go.")  # fmt: skip
        elif other:
            path = settings.DATA / "settings-of-backup.env"
            file_write_private(path, "".join(f"{name}={value}\n" for name, value in sorted(other.items())))
            self.stdout.write(f"Set otherwise when the backup was made: {', '.join(sorted(other))}. "
                              f"The values are in {path}; delete it when you have read it.")  # fmt: skip
