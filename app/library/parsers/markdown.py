"""Parser of Markdown: headings, lists, code, tables; markup without text is left out."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.html import parse_fragment
from app.library.parsers.limits import Limits
from app.library.parsers.media import MARKDOWN
from app.library.parsers.outline import Outline
from app.library.parsers.rows import row_texts

_FRONT_MATTER = re.compile(r"\A\ufeff?(---|\+\+\+)[^\S\n]*\n(?:.*\n)*?\1[^\S\n]*(?:\n|\Z)")
_FRONT_TITLE = re.compile(r"^title[^\S\n]*[:=][^\S\n]*[\"']?(.+?)[\"']?[^\S\n]*$", re.M)
_TAG = re.compile(r"<[^<>]{0,1000}>")
# Tokens take a hundred times the memory of the text, so a long file is read in parts that begin with a heading.
_PART_CHARS = 500_000
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
# Each level of a list counts twice; the parser recurses for each.
_NESTING = 60


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: empty_file, file_too_complex."""
    text = clean(decode(path.read_bytes()))
    front = _FRONT_MATTER.match(text)
    title = None
    if front:
        match = _FRONT_TITLE.search(front.group())
        title = match.group(1) if match else None
        text = text[front.end() :]
    outline = Outline(limits)
    reader = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable("table")
    walk = _Walk(outline)
    for part in _parts(text):
        walk.run(reader.parse(part))
    if not outline.blocks:
        raise ParseError("empty_file", "no text")
    first = outline.blocks[0]
    return Parsed(tuple(outline.blocks), MARKDOWN, title=title or (first.text if first.kind == "heading" else None))


def _parts(text: str) -> Iterator[str]:
    if len(text) <= _PART_CHARS:
        yield text
        return
    lines: list[str] = []
    size, fenced = 0, False
    for line in text.splitlines(keepends=True):
        fenced ^= bool(_FENCE.match(line))
        if size > _PART_CHARS and not fenced and (line.startswith("#") or size > 2 * _PART_CHARS):
            yield "".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield "".join(lines)


class _Walk:
    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.depth = 0
        self.heading = 0
        self.number = ""
        self.cells: list[str] | None = None
        self.header: list[str] | None = None

    def run(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            kind = token.type
            if kind == "inline":
                self.text(_inline(token))
            elif kind in ("fence", "code_block"):
                self.outline.add("code", token.content.strip("\n").rstrip())
            elif kind == "html_block":
                parse_fragment(token.content, self.outline)
            elif kind == "heading_open":
                self.heading = int(token.tag[1])
            elif kind == "heading_close":
                self.heading = 0
            elif kind == "list_item_open":
                self.depth += 1
                # The number of an ordered item is part of its text: "step 3".
                self.number = f"{token.info}{token.markup} " if token.info else ""
            elif kind == "list_item_close":
                self.depth -= 1
            elif kind == "tr_open":
                self.cells = []
            elif kind == "tr_close":
                self.row()
            elif kind == "table_close":
                self.header = None
            elif kind == "thead_close":
                self.header, self.cells = self.cells, None

    def text(self, text: str) -> None:
        if self.cells is not None:
            self.cells.append(text)
        elif self.heading:
            self.outline.heading(self.heading, text)
        elif self.depth:
            self.outline.add("list_item", self.number + text, level=min(self.depth, 9))
            self.number = ""
        else:
            self.outline.add("paragraph", text)

    def row(self) -> None:
        if self.header is None:
            return
        for line in row_texts(self.header if any(self.header) else None, self.cells or []):
            self.outline.add("table_row", line)
        self.cells = None


def _inline(token: Token) -> str:
    parts: list[str] = []
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "html_inline" and not _TAG.fullmatch(child.content):
            parts.append(child.content)
    return " ".join("".join(parts).split())
