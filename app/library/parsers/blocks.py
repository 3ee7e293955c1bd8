"""Blocks of a parsed file, chunk drafts of the chunker, and their stored form.

The text of a version is `full_text(blocks)`; `start` and `end` of a chunk are offsets into it, and the text of a
chunk is exactly that slice.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from app.errors import IngestFailed

BlockKind = Literal["heading", "paragraph", "list_item", "table_row", "code"]
PlaceKind = Literal["page", "heading", "row", "slide", "time", "text"]
Box = tuple[float, float, float, float]

# Blocks of a list, table or listing are separated by one line end, all others by two.
_TIGHT: frozenset[str] = frozenset({"list_item", "table_row", "code"})
_KIND_TO_LETTER = {"heading": "h", "paragraph": "p", "list_item": "l", "table_row": "r", "code": "c"}
_LETTER_TO_KIND = {letter: kind for kind, letter in _KIND_TO_LETTER.items()}
# Boxes are stored as whole ten-thousandths of the page: finer than a pixel of any screen, half the bytes of a float.
_BOX_SCALE = 10_000
_PLACE_FIELDS = ("page", "page_label", "sheet", "slide", "start_s", "end_s", "url")


class ParseError(IngestFailed):
    """The error of a file that cannot be read; `detail` has the cause, and never text of the document."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, details={"seen": detail} if detail else None)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, item, row or listing.

    level: 1 to 6 for a heading, depth from 1 for a list item, else 0.
    heading: titles of the sections around it, outermost first; a heading's own title is the last.
    page: from 1. boxes: (x0, y0, x1, y1) per line, fractions of the shown page from its top left.
    line_starts: for each box, the offset of its line in `text`.
    rows: first and last row as a spreadsheet counts them (the header is row 1). sheet: name of the rows' sheet.
    slide: from 1. time: first and last second of a recording.
    words: for each of them, its offset in `text` and its second.
    """

    kind: BlockKind
    text: str
    level: int = 0
    heading: tuple[str, ...] = ()
    page: int | None = None
    boxes: tuple[Box, ...] = ()
    line_starts: tuple[int, ...] = ()
    rows: tuple[int, int] | None = None
    sheet: str | None = None
    slide: int | None = None
    time: tuple[float, float] | None = None
    words: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed file.

    warnings: codes such as `pages_without_text`, each with its subject after a colon. page_labels: the numbers that are
    printed on the pages, such as "iv", one a page; none when they are 1, 2, 3 and so on. members: number of
    files inside it, which become documents of their own (app/library/parsers/members.py).
    """

    blocks: tuple[Block, ...]
    media_type: str
    pages: int | None = None
    title: str | None = None
    warnings: tuple[str, ...] = ()
    page_labels: tuple[str, ...] = ()
    members: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a passage in its document, as in the API; fields that do not apply are left out.

    page_label: the number printed on the page, where it differs from the page's own.
    """

    kind: PlaceKind
    page: int | None = None
    page_label: str | None = None
    boxes: tuple[Box, ...] = ()
    heading: tuple[str, ...] = ()
    sheet: str | None = None
    rows: tuple[int, int] | None = None
    slide: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    url: str | None = None

    def to_json(self) -> dict[str, Any]:
        place: dict[str, Any] = {"kind": self.kind}
        for name in _PLACE_FIELDS:
            value = getattr(self, name)
            if value is not None:
                place[name] = value
        if self.boxes:
            place["boxes"] = [list(box) for box in self.boxes]
        if self.heading:
            place["heading"] = list(self.heading)
        if self.rows:
            place["rows"] = list(self.rows)
        return place

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Place":
        rows = data.get("rows")
        return cls(
            kind=data["kind"],
            boxes=tuple((box[0], box[1], box[2], box[3]) for box in data.get("boxes", ())),
            heading=tuple(data.get("heading", ())),
            rows=(rows[0], rows[1]) if rows else None,
            **{name: data.get(name) for name in _PLACE_FIELDS},
        )


@dataclass(frozen=True, slots=True)
class ChunkDraft:
    """A chunk before it has an id. `text == full_text(blocks)[start:end]`.

    tokens: of `embed_text`, by the counter that chunked it, without the model's special tokens.
    context: titles of the sections around it that its own text does not show.
    """

    position: int
    text: str
    tokens: int
    place: Place
    start: int
    end: int
    context: tuple[str, ...] = field(default=())

    @property
    def embed_text(self) -> str:
        """Return the text that is embedded and indexed: the titles of its sections, then its text."""
        return embed_text(self.context, self.text)


def embed_text(context: Sequence[str], text: str) -> str:
    return f"{' > '.join(context)}\n{text}" if context else text


def separator(before: Block, after: Block) -> str:
    return "\n" if before.kind == after.kind and before.kind in _TIGHT else "\n\n"


def full_text(blocks: Sequence[Block]) -> str:
    """Return the text of a version: blocks in order, one line end apart within a list, table or listing, else two."""
    parts: list[str] = []
    for number, block in enumerate(blocks):
        if number:
            parts.append(separator(blocks[number - 1], block))
        parts.append(block.text)
    return "".join(parts)


def block_starts(blocks: Sequence[Block]) -> list[int]:
    """Return the offset of each block in `full_text(blocks)`."""
    starts: list[int] = []
    at = 0
    for number, block in enumerate(blocks):
        if number:
            at += len(separator(blocks[number - 1], block))
        starts.append(at)
        at += len(block.text)
    return starts


def blocks_to_json(parsed: Parsed) -> bytes:
    """Encode compactly: heading paths once, boxes as whole numbers, no empty fields."""
    paths: dict[tuple[str, ...], int] = {}
    rows: list[dict[str, Any]] = []
    for block in parsed.blocks:
        row: dict[str, Any] = {"k": _KIND_TO_LETTER[block.kind], "t": block.text}
        if block.level:
            row["l"] = block.level
        if block.heading:
            row["h"] = paths.setdefault(block.heading, len(paths))
        if block.page is not None:
            row["p"] = block.page
        if block.boxes:
            row["b"] = [round(side * _BOX_SCALE) for box in block.boxes for side in box]
            row["s"] = block.line_starts
        if block.rows:
            row["r"] = block.rows
        if block.sheet is not None:
            row["n"] = block.sheet
        if block.slide is not None:
            row["d"] = block.slide
        if block.time:
            row["m"] = block.time
        if block.words:
            row["w"] = _words_to_json(block.words)
        rows.append(row)
    return orjson.dumps(
        {
            "v": 1,
            "media_type": parsed.media_type,
            "pages": parsed.pages,
            "title": parsed.title,
            "warnings": parsed.warnings,
            "page_labels": parsed.page_labels,
            **({"members": parsed.members} if parsed.members else {}),
            "paths": list(paths),
            "blocks": rows,
        }
    )


def blocks_from_json(data: bytes) -> Parsed:
    raw = orjson.loads(data)
    paths = [tuple(path) for path in raw["paths"]]
    return Parsed(
        blocks=tuple(_block_from_json(row, paths) for row in raw["blocks"]),
        media_type=raw["media_type"],
        pages=raw["pages"],
        title=raw["title"],
        warnings=tuple(raw["warnings"]),
        page_labels=tuple(raw.get("page_labels", ())),
        members=raw.get("members", 0),
    )


def _block_from_json(row: dict[str, Any], paths: Sequence[tuple[str, ...]]) -> Block:
    sides = [side / _BOX_SCALE for side in row.get("b", ())]
    rows, time = row.get("r"), row.get("m")
    return Block(
        kind=_LETTER_TO_KIND[row["k"]],  # type: ignore[arg-type]  # the table above holds no other kind
        text=row["t"],
        level=row.get("l", 0),
        heading=paths[row["h"]] if "h" in row else (),
        page=row.get("p"),
        boxes=tuple(zip(*[iter(sides)] * 4, strict=True)),
        line_starts=tuple(row.get("s", ())),
        rows=(rows[0], rows[1]) if rows else None,
        sheet=row.get("n"),
        slide=row.get("d"),
        time=(time[0], time[1]) if time else None,
        words=_words_from_json(row.get("w", ())),
    )


def _words_to_json(words: Sequence[tuple[int, float]]) -> list[int]:
    """Encode offsets and hundredths of a second as differences from the word before: half the bytes of the numbers."""
    numbers: list[int] = []
    offset = moment = 0
    for start, second in words:
        at = round(second * 100)
        numbers += (start - offset, at - moment)
        offset, moment = start, at
    return numbers


def _words_from_json(numbers: Sequence[int]) -> tuple[tuple[int, float], ...]:
    words: list[tuple[int, float]] = []
    offset = moment = 0
    for place in range(0, len(numbers), 2):
        offset += numbers[place]
        moment += numbers[place + 1]
        words.append((offset, moment / 100))
    return tuple(words)


def recording_seconds(parsed: Parsed) -> int | None:
    """Return the length of a recording, as far as something is said in it; None for other files."""
    if not parsed.media_type.startswith(("audio/", "video/")):
        return None
    return math.ceil(max((block.time[1] for block in parsed.blocks if block.time), default=0))


def text_length(blocks: Iterable[Block]) -> int:
    return sum(len(block.text) for block in blocks)
