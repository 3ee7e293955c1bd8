import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from app.accounts.models import Organisation
from app.accounts.selectors import organisation_get
from app.errors import Conflict, RefdeskError
from app.lib.nearest_name import did_you_mean
from app.library.choices import DocumentState
from app.library.connectors.protocol import Content
from app.library.connectors.uploads import file_item
from app.library.models import Document, Source
from app.library.selectors.documents import error_payload
from app.library.selectors.sources import source_named
from app.library.services.intake import document_put
from app.library.services.sources import source_bring_check, source_create, source_for_uploads

POLL_S = 0.3
OVER = (DocumentState.READY, DocumentState.FAILED, DocumentState.CANCELLED)


class Command(BaseCommand):
    help = "Upload files and folders. Status 1 when any of them could not be taken or, with --wait, did not get ready."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--source", default="", help="name of the source; made when there is none of that name")
        parser.add_argument("--organisation", default="default", metavar="SLUG")
        parser.add_argument("--wait", action="store_true", help="until every file is ready or has failed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = organisation_get(slug=options["organisation"])
            source = self._source(organisation, options["source"])
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.failed = 0
        self.taken: dict[str, Path] = {}
        files = dict(self._files(options["paths"]))
        documents = self._upload(organisation.id, source, files)
        if options["wait"] and documents:
            self._wait(organisation.id, documents)
        done = f"{len(documents)} of {len(files)} files taken" if files else "There is no file to take"
        self.stdout.write(f"{done}{', some failed' if self.failed else ''}.")
        if self.failed or not files:
            raise SystemExit(1)

    def _source(self, organisation: Organisation, name: str) -> Source:
        if not name:
            return source_for_uploads(organisation=organisation)
        found = source_named(organisation=organisation.id, name=name)
        if found is None:
            names = list(Source.objects.filter(organisation=organisation).values_list("name", flat=True))
            created = source_create(organisation=organisation, name=name)
            # A mistyped name makes a source that nobody wanted, so it is said.
            self.stderr.write(f"Made the source {name!r}.{did_you_mean(name, names)}")
            return created
        source_bring_check(source=found)
        return found

    def _files(self, paths: list[Path]) -> Iterator[tuple[Path, str]]:
        """Yield each file with its id: its path below the given folder, or its name."""
        for path in paths:
            if path.is_dir():
                for folder, names, files in os.walk(path):
                    names[:] = sorted(name for name in names if not name.startswith("."))
                    below = (Path(folder, name) for name in sorted(files) if not name.startswith("."))
                    yield from ((file, file.relative_to(path).as_posix()) for file in below)
            elif path.exists():
                yield path, path.name
            else:
                self._refuse(path, "There is no such file.")

    def _upload(self, organisation: UUID, source: Source, files: dict[Path, str]) -> dict[UUID, str]:
        """Upload the files, and return their paths by the id of their document."""
        documents: dict[UUID, str] = {}
        for path, external_id in tqdm(files.items(), desc="Uploading", unit="file", disable=not sys.stderr.isatty()):
            try:
                if external_id in self.taken:
                    raise Conflict(message=f"{self.taken[external_id]} has the same name. Give it another --source.")
                if not path.is_file():
                    raise RefdeskError("unsupported_type", "This is not a regular file.")
                with path.open("rb") as stream:
                    result = document_put(
                        organisation=organisation,
                        source=source,
                        item=file_item(path.name, external_id),
                        content=Content(stream),
                    )
                self.taken[external_id] = path
                documents[result.document.id] = str(path)
            except RefdeskError as error:
                self._refuse(path, f"{error.message} {error.hint}")
            except OSError as error:
                self._refuse(path, error.strerror or "It cannot be read.")
        return documents

    def _wait(self, organisation: UUID, documents: dict[UUID, str]) -> None:
        waiting = dict(documents)
        bar = tqdm(total=len(waiting), desc="Reading", unit="file", disable=not sys.stderr.isatty())
        while waiting:
            rows = Document.objects.filter(organisation=organisation, pk__in=list(waiting))
            states = {row.id: row for row in rows}
            for key in list(waiting):
                row = states.get(key)
                if row is not None and row.state not in OVER:
                    continue
                path = waiting.pop(key)
                bar.update()
                if row is None:
                    self._refuse(Path(path), "It was deleted meanwhile.")
                elif row.state != DocumentState.READY:
                    error = error_payload(row.error_code or "cancelled", row.error_message)
                    self._refuse(Path(path), f"{error['message']} {error['hint']}")
            if waiting:
                time.sleep(POLL_S)
        bar.close()

    def _refuse(self, path: Path, reason: str) -> None:
        self.failed += 1
        tqdm.write(f"{path}: {reason}", file=sys.stderr)
