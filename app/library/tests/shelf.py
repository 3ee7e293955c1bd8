"""A connector for tests: its items are in memory, or in the source's settings where another process reads them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

import pytest

from app.library.choices import SourceKind
from app.library.connectors import registry
from app.library.connectors.protocol import (
    Checkpoint,
    Complete,
    Connector,
    Content,
    Cursor,
    Discovery,
    Item,
    NotModified,
    SourceSettings,
    Validators,
)
from app.library.tests.stores import stores_empty


@dataclass
class Shelf:
    """Content of a source: texts, errors or a callable by id, and what else the connector yields."""

    texts: dict[str, Any] = field(default_factory=dict)
    besides: list[Discovery] = field(default_factory=list)
    complete: bool = True
    broken: Exception | None = None
    asked: list[Any] = field(default_factory=list)
    cursors: list[Cursor | None] = field(default_factory=list)


class ShelfSettings(SourceSettings):
    texts: dict[str, str] = {}


class ShelfConnector(Connector):
    kind = SourceKind.PUSH
    about = "A shelf of the tests."
    Settings = ShelfSettings
    shelf: ClassVar[Shelf] = Shelf()
    settings: ShelfSettings

    def discover(self, cursor: Cursor | None) -> Iterator[Discovery]:
        self.shelf.cursors.append(cursor)
        if self.shelf.broken is not None:
            raise self.shelf.broken
        for number, name in enumerate([*self.settings.texts, *self.shelf.texts]):
            yield Item(name, f"{name}.md", f"https://example.org/{name}")
            yield Checkpoint({"after": number})
        yield from self.shelf.besides
        if self.shelf.complete:
            yield Complete()

    @contextmanager
    def fetch(self, item: Item, validators: Validators) -> Iterator[Content]:
        self.shelf.asked.append((item.external_id, validators.etag))
        found = self.settings.texts.get(item.external_id) or self.shelf.texts[item.external_id]
        if callable(found):
            found = found()
        if isinstance(found, Exception):
            raise found
        etag = f'"{sha256(found.encode()).hexdigest()}"'
        if etag == validators.etag:
            raise NotModified
        yield Content(io.BytesIO(found.encode()), "text/markdown", etag)


@pytest.fixture
def shelf(db: Any, monkeypatch: pytest.MonkeyPatch, qdrant: str, embedder: str) -> Shelf:
    stores_empty()
    ShelfConnector.shelf = Shelf()
    monkeypatch.setitem(registry.connectors_all(), SourceKind.PUSH, ShelfConnector)
    return ShelfConnector.shelf
