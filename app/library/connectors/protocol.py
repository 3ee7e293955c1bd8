"""What every connector speaks of: items of a source, and their content."""

from dataclasses import dataclass, field
from typing import Any, BinaryIO


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


@dataclass(slots=True)
class Content:
    """The bytes of an item.

    Attributes:
        media_type: as the source says; a hint only, the bytes decide.
        etag, last_modified: what the source's server named these bytes by.
    """

    stream: BinaryIO = field(repr=False)
    media_type: str = ""
    etag: str = ""
    last_modified: str = ""
