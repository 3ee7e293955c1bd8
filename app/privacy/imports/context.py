"""State that the steps of an import share: old and new ids, and the rows that were read from the archive."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model

from app.accounts.models import Organisation
from app.privacy.archive.reading import ArchiveReader
from app.privacy.archive.rows import DocumentRow, VersionRow

BATCH = 500
Each = TypeVar("Each")
Made = TypeVar("Made", bound=Model)
Say = Callable[[str], None]


@dataclass(slots=True)
class ImportContext:
    """The state of an import.

    Attributes:
        people: new ids by the archive's ids.
        versions: imported versions of each document, lowest number first.
        external_ids: external ids of the documents, by the archive's ids.
        stored: parts whose file is stored.
        unread: parts of versions that are not imported.
    """

    reader: ArchiveReader
    organisation: Organisation
    people: dict[UUID, UUID] = field(default_factory=dict)
    documents: dict[UUID, DocumentRow] = field(default_factory=dict)
    versions: dict[UUID, list[VersionRow]] = field(default_factory=dict)
    external_ids: dict[UUID, str] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def new(self, old: UUID) -> UUID:
        return id_moved(self.organisation.id, old)

    def new_or_none(self, old: UUID | None) -> UUID | None:
        return None if old is None else self.new(old)

    def person(self, old: UUID | None) -> UUID | None:
        return self.people.get(old) if old is not None else None

    def rows(self, table: str) -> Iterator[Any]:
        for row in self.reader.rows(table):
            self.counts[table] = self.counts.get(table, 0) + 1
            yield row

    def is_lost(self, version: VersionRow) -> bool:
        """Return whether the version's file was missing already when the archive was made."""
        return version.file is None or version.file in self.reader.manifest.missing_files


def id_moved(organisation: UUID, old: UUID) -> UUID:
    """Return the id here of what had the id `old` there: as high, so that order by id stays; its last 32 bits from
    both.
    """
    tail = hashlib.sha256(organisation.bytes + old.bytes).digest()[:4]
    return UUID(bytes=old.bytes[:12] + tail)


def batched(rows: Iterable[Each]) -> Iterator[list[Each]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def create(model: type[Made], rows: Iterable[Made]) -> None:
    for batch in batched(rows):
        model._default_manager.bulk_create(batch)


def backdate(model: type[Model], made: Iterable[tuple[UUID, Any, Any]], *, both: bool = False) -> None:
    """Set the times of the archive where Django wrote the present. made: id, created, updated (used with `both`)."""
    also = ", updated = v.updated" if both else ""
    with connection.cursor() as cursor:
        for batch in batched(made):
            cursor.execute(
                f"UPDATE {model._meta.db_table} t SET created = v.created{also}"  # noqa: S608 (our own names)
                " FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[]) AS v (id, created, updated)"
                " WHERE t.id = v.id",
                [[each[0] for each in batch], [each[1] for each in batch], [each[2] for each in batch]],
            )
