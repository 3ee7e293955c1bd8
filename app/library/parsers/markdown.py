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
from app.library.parsers.markdown_inline import footnotes, front_matter, inline_text, without_unknown_tags
from app.library.parsers.media import MARKDOWN
from app.library.parsers.outline import Outline
from app.library.parsers.tables import Cell, filled_down, grid, table_lines

# Tokens take a hundred times the memory of the text, so a long file is read in parts that begin with a heading.
_PART_CHARS = 500_000
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
# Each level of a list counts twice; the parser recurses for each.
_NESTING = 60


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: empty_file, file_too_complex."""
    text = clean(decode(path.read_bytes()))
    fields, text = front_matter(text)
    notes, text = footnotes(text)
    title = fields.get("title")
    outline = Outline(limits)
    outline.add("paragraph", "; ".join(f"{name}: {value}" for name, value in fields.items()))
    reader = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable(["table", "strikethrough"])
    walk = _Walk(outline, notes)
    for part in _parts(text):
        walk.run(reader.parse(part))
    if not outline.blocks:
        raise ParseError("empty_file", "no text")
    first = outline.blocks[bool(fields) and len(outline.blocks) > 1]
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
    def __init__(self, outline: Outline, notes: dict[str, str]) -> None:
        self.outline = outline
        self.notes = notes
        self.depth = 0
        self.heading = 0
        self.number = ""
        self.rows: list[list[Cell]] = []
        self.in_table = False

    def run(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            kind = token.type
            if kind == "inline":
                self.text(*inline_text(token, self.notes))
            elif kind in ("fence", "code_block"):
                self.outline.add("code", token.content.strip("\n").rstrip())
            elif kind == "html_block":
                parse_fragment(without_unknown_tags(token.content), self.outline)
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
            elif kind == "table_open":
                self.rows, self.in_table = [], True
            elif kind == "tr_open":
                self.rows.append([])
            elif kind == "table_close":
                self.table()

    def text(self, text: str, notes: list[str]) -> None:
        if self.in_table:
            self.rows[-1].append(Cell(" ".join([text, *notes])))
            return
        if self.heading:
            self.outline.heading(self.heading, text)
        elif self.depth:
            self.outline.add("list_item", self.number + text, level=min(self.depth, 9))
            self.number = ""
        else:
            self.outline.add("paragraph", text)
        for note in notes:
            self.outline.add("paragraph", note)

    def table(self) -> None:
        self.in_table = False
        named = any(cell.text for cell in self.rows[0]) if self.rows else False
        rows = grid(self.rows, [named])
        filled_down(rows[1:])
        for line in table_lines(rows):
            self.outline.add("table_row", line.text)
