"""Define the interface of a connector: a module of this folder that reads one kind of source.

A connector has `Settings`, lists the items of its source by `discover` and opens one by `fetch`. Runs, outcomes,
versions and removals are handled in app/library/connectors/reading.py. CONTRIBUTING.md has the recipe.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from pydantic import BaseModel, ConfigDict

from app.library.choices import Outcome, SourceKind
from app.library.models import Source

Cursor = Any  # JSON, in a format of the connector's own


class SourceSettings(BaseModel):
    """Settings that an organisation chooses for a source of a kind; stored as JSON, without a credential."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Item:
    """A document as its source lists it.

    Attributes:
        external_id: its identity within the source.
        name: shown to people.
        url: address of the original, if there is one.
        metadata: stored with the document as the source gives it; None: the stored metadata stays.
    """

    external_id: str
    name: str
    url: str = ""
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that is listed but not fetched. outcome: the reason."""

    external_id: str
    outcome: Outcome
    url: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """An item that the source no longer has."""

    external_id: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the listing with everything before it done: a run that was cut short goes on from here."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Complete:
    """The end of a complete listing: documents that are not in it are removed."""


Discovery = Item | Skipped | Gone | Checkpoint | Complete


@dataclass(frozen=True, slots=True)
class Validators:
    """ETag and Last-Modified of the newest bytes of an item, as the source's server gave them; empty for a new item."""

    etag: str = ""
    last_modified: str = ""


@dataclass(slots=True)
class Content:
    """The bytes of an item.

    Attributes:
        media_type: as the source states it; a hint only, since the bytes decide.
        etag, last_modified: the server's validators of these bytes.
    """

    stream: BinaryIO = field(repr=False)
    media_type: str = ""
    etag: str = ""
    last_modified: str = ""


class NotModified(Exception):
    """Raised when the item's bytes are the ones that the validators name."""


class ItemError(Exception):
    """Raised when an item cannot be read; the run continues.

    Args:
        outcome: one of FAILURES or SKIPPED.
        detail: for people.
        status: of HTTP, where there is one.
    """

    def __init__(self, outcome: Outcome, detail: str = "", *, status: int | None = None) -> None:
        self.outcome, self.detail, self.status = outcome, detail, status
        super().__init__(f"{outcome}: {detail}")


class Connector(ABC):
    """A reader of one source. An instance serves one run, so it may keep state between calls.

    Attributes:
        kind: the source's kind.
        about: the description where people choose a kind.
        discovers: whether a run can list items; the other kinds are sent their documents.
    """

    kind: ClassVar[SourceKind]
    about: ClassVar[str]
    Settings: ClassVar[type[SourceSettings]] = SourceSettings
    discovers: ClassVar[bool] = True

    def __init__(self, source: Source) -> None:
        self.source = source
        self.settings = self.Settings.model_validate(source.settings)

    @abstractmethod
    def discover(self, cursor: Cursor | None) -> Iterator[Discovery]:
        """List the items of the source one by one; each is fetched before the next is requested.

        cursor: that of this run's last checkpoint, or of the last successful run; None at the first run.

        Raises:
            RefdeskError: the source as a whole cannot be read. The run fails; with Upstream it waits.
        """

    @abstractmethod
    def fetch(self, item: Item, validators: Validators) -> AbstractContextManager[Content]:
        """Open an item.

        Raises:
            NotModified: its bytes are those of the validators.
            ItemError: it cannot be read.
        """


class BroughtConnector(Connector):
    """A source that people or programs send documents to: there is nothing to discover."""

    discovers: ClassVar[bool] = False

    def discover(self, cursor: Cursor | None) -> Iterator[Discovery]:
        return iter(())

    def fetch(self, item: Item, validators: Validators) -> AbstractContextManager[Content]:
        raise ItemError(Outcome.FAILED, "Only whoever brought this document can bring it again.")
