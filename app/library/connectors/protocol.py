"""Define what a connector is: a file of this folder that reads one kind of source.

It has `Settings`, names the items of its source by `discover` and opens one by `fetch`. Runs, outcomes,
versions and removals are not its own (app/library/connectors/reading.py). CONTRIBUTING.md has the recipe.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from pydantic import BaseModel, ConfigDict

from app.library.choices import Outcome, SourceKind
from app.library.models import Source

Cursor = Any  # JSON, in the connector's own terms


class SourceSettings(BaseModel):
    """Settings that an organisation chooses for a source of a kind; stored as JSON, without a credential."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Item:
    """A document as its source names it.

    Attributes:
        external_id: its identity within the source.
        name: what people read.
        url: address of the original, where it has one.
        metadata: whatever the source wants to keep with it; None: what was kept stays.
    """

    external_id: str
    name: str
    url: str = ""
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that is named and not fetched. outcome: why."""

    external_id: str
    outcome: Outcome
    url: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """An item that the source says it has no more."""

    external_id: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place in the listing before which everything is dealt with: a run that is cut short goes on from it."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Complete:
    """The end of a listing that was whole: documents that it did not name are removed."""


Discovery = Item | Skipped | Gone | Checkpoint | Complete


@dataclass(frozen=True, slots=True)
class Validators:
    """Names that the source's server gave the newest bytes of an item; empty for one that is new."""

    etag: str = ""
    last_modified: str = ""


@dataclass(slots=True)
class Content:
    """The bytes of an item.

    Attributes:
        media_type: as the source says; a hint only, the bytes decide.
        etag, last_modified: names that the source's server gave these bytes.
    """

    stream: BinaryIO = field(repr=False)
    media_type: str = ""
    etag: str = ""
    last_modified: str = ""


class NotModified(Exception):
    """Raised when the item's bytes are those that the validators name."""


class ItemError(Exception):
    """Raised when an item cannot be read; the run goes on.

    Args:
        outcome: one of FAILURES or SKIPPED.
        detail: for people.
        status: of HTTP, where there is one.
    """

    def __init__(self, outcome: Outcome, detail: str = "", *, status: int | None = None) -> None:
        self.outcome, self.detail, self.status = outcome, detail, status
        super().__init__(f"{outcome}: {detail}")


class Connector(ABC):
    """Reads one source. An instance serves one run, so it may keep what it learns on the way.

    Attributes:
        kind: the source's kind.
        about: what people read where they choose a kind.
        discovers: whether there is anything to run; documents are brought to the others.
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
        """Name the items of the source, one by one; each is fetched before the next is asked for.

        cursor: of the last checkpoint of this run, or of the last run that ended well; None at the first.

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
    """A source whose documents are brought to it, by people or programs: there is nothing to discover."""

    discovers: ClassVar[bool] = False

    def discover(self, cursor: Cursor | None) -> Iterator[Discovery]:
        return iter(())

    def fetch(self, item: Item, validators: Validators) -> AbstractContextManager[Content]:
        raise ItemError(Outcome.FAILED, "Only whoever brought this document can bring it again.")
