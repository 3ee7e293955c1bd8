"""Parser of RTF: paragraphs, headings, lists with their numbers, tables, notes, comments, links.

The file is read once from its beginning to its end. Pictures, embedded objects, hidden and struck-out text are left
out; unknown groups too, as the format demands.
"""

import re
from collections.abc import Callable
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.docx_text import symbol_text
from app.library.parsers.inline import comment_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import RTF
from app.library.parsers.outline import Outline
from app.library.parsers.rtf_head import Font, code_page, day_read, fonts_read, headings_read
from app.library.parsers.rtf_story import Format, Group, Piece, RowShape, Story
from app.library.parsers.rtf_words import MATH, NOT_TEXT, SIGNS, STORIES, SYMBOLS, TEXT_AFTER_STAR

_TOKEN = re.compile(r"\\([A-Za-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|([^\\{}\r\n]+)|[\r\n]+", re.S)
_BRACE = re.compile(r"\\bin(\d{1,9}) ?|\\.|[{}]", re.S)
# The number of a list's item; other signs there are bullets, also a single "o".
_NUMBER = re.compile(r"(?=.*\d|.*[.):])[(\[]?[\w.\-]{1,15}[.):\]]{0,2}\Z")
_LINK = re.compile(r'HYPERLINK\s+(?:\\\\?[lmnot]\s+)*"([^"]+)"')
_WIDE = frozenset({"cp932", "cp949", "johab", "gbk", "cp950", "utf-8"})
# Groups in groups beyond this depth are no text.
_MAX_DEPTH = 2000


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: no_text, file_too_complex."""
    outline = Outline(limits)
    reader = _Reader(path.read_bytes().decode("latin-1"), outline)
    reader.run()
    if not outline.blocks:
        raise ParseError("no_text", "a document without text")
    return Parsed(tuple(outline.blocks), RTF, title=reader.title)


class _Reader:
    def __init__(self, data: str, outline: Outline) -> None:
        self.data = data
        self.outline = outline
        self.at = 0
        self.form = Format()
        self.groups: list[Group] = []
        self.story = Story("body")
        self.stories: list[Story] = []
        self.fonts: dict[int, Font] = {}
        self.headings: dict[int, int] = {}
        self.encoding = "cp1252"
        self.default_font = -1
        self.bytes = bytearray()
        self.to_skip = 0
        self.starred = False
        self.instruction = ""
        # Of the comment that comes next, or is open.
        self.author = self.day = ""
        self.title: str | None = None
        self.has_title = False
        self.page_lines: set[str] = set()
        self.list_begun = False
        # The first half of a character beyond the first 65,536.
        self.high = 0

    def run(self) -> None:
        data, match_at = self.data, _TOKEN.match
        while (token := match_at(data, self.at)) is not None:
            self.at = token.end()
            kind = token.lastindex
            if kind == 6:
                self.plain(token[6])
            elif kind == 3:
                self.byte(int(token[3], 16))
            elif kind == 1 or kind == 2:
                if self.bytes:
                    self.bytes_end()
                self.word(token[1], token[2])
            elif kind == 5:
                if self.bytes:
                    self.bytes_end()
                self.to_skip = 0
                self.open() if token[5] == "{" else self.shut()
            elif kind == 4:
                self.symbol(token[4])
        self.bytes_end()
        while self.stories:
            self.shut()
        self.story.end(self.form)
        self.flush()

    def open(self) -> None:
        if len(self.groups) >= _MAX_DEPTH:
            raise ParseError("file_too_complex", "groups nested too far")
        self.groups.append(Group(self.form))
        self.form = self.form.copy()
        self.starred = False

    def shut(self) -> None:
        if not self.groups:
            return
        group = self.groups.pop()
        if group.close:
            self.show(group.close)
        if group.is_link:
            self.story.link_end()
        if group.begun is not None:
            self.story_end()
        if group.row is not None:
            self.story.row = group.row
        self.form = group.form
        self.form.listed = self.form.listed or self.list_begun
        self.list_begun = self.starred = False

    def skip_group(self) -> str:
        """Move behind the group that is open; return what it holds."""
        start, depth = self.at, 1
        while (match := _BRACE.search(self.data, self.at)) is not None:
            self.at = match.end()
            if match[1]:
                self.at += int(match[1])
            elif match[0] == "{":
                depth += 1
            elif match[0] == "}":
                depth -= 1
                if not depth:
                    break
        else:
            self.at = len(self.data)
        self.shut()
        return self.data[start : self.at]

    def story_begin(self, kind: str) -> None:
        if not self.groups:
            return
        # The parts of the file's description are hidden, but for this one.
        if kind == "title":
            self.form.hidden = False
        self.stories.append(self.story)
        self.story = self.groups[-1].begun = Story(kind)
        self.form.reset_paragraph()
        self.form.raised = ""

    def story_end(self) -> None:
        done = self.story
        done.end(self.form)
        self.story = self.stories.pop()
        if done.kind == "instruction":
            self.instruction += done.whole()
        elif done.kind == "number":
            text = done.whole()
            # Bullets are marks of the page, numbers are facts.
            self.story.number = text if _NUMBER.match(text) else ""
            # The text of the item follows behind this group, in the format around it.
            self.list_begun = True
        elif done.kind == "title":
            self.title = done.whole() or None
        elif done.kind == "author":
            self.author = done.whole()
        elif done.kind == "day":
            self.day = day_read(done.whole())
        elif done.kind == "page":
            for piece in done.pieces:
                if piece.text not in self.page_lines and sum(map(str.isalpha, piece.text)) > len("Page of"):
                    self.page_lines.add(piece.text)
                    self.outline.add("paragraph", piece.text)
        elif done.kind == "comment":
            if text := done.whole():
                self.story.after.append(Piece("paragraph", comment_line(text, self.author, self.day)))
            self.author = self.day = ""
        else:
            self.story.after += done.pieces

    def flush(self) -> None:
        """Add the finished pieces of the body to the outline."""
        if self.stories:
            return
        for piece in self.story.pieces:
            if piece.kind == "heading":
                is_title = piece.level < 0
                self.has_title = self.has_title or is_title
                level = 1 if is_title else min(piece.level + self.has_title, 6)
                self.outline.heading(level, piece.text)
                self.title = self.title or (piece.text if is_title else None)
            else:
                self.outline.add(piece.kind, piece.text, level=piece.level)
        self.story.pieces.clear()

    def show(self, text: str) -> None:
        form = self.form
        if not form.hidden and not form.struck:
            self.story.text(text, form.raised)

    def plain(self, text: str) -> None:
        if self.to_skip:
            skipped = min(self.to_skip, len(text))
            self.to_skip -= skipped
            text = text[skipped:]
        font = self.fonts.get(self.form.font)
        if self.bytes or not text.isascii() or (font is not None and font.symbols):
            self.bytes += text.encode("latin-1")
            if self.font_encoding() not in _WIDE:
                self.bytes_end()
        elif text:
            self.show(text)

    def byte(self, number: int) -> None:
        if self.to_skip:
            self.to_skip -= 1
        else:
            self.bytes.append(number)

    def font_encoding(self) -> str:
        font = self.fonts.get(self.form.font)
        return font.encoding or self.encoding if font is not None else self.encoding

    def bytes_end(self) -> None:
        if not self.bytes:
            return
        data, font = bytes(self.bytes), self.fonts.get(self.form.font)
        self.bytes.clear()
        if font is not None and font.symbols:
            self.show("".join(symbol_text(font.symbols, number) for number in data))
        else:
            self.show(data.decode(self.font_encoding(), "replace"))

    def unicode(self, number: int) -> None:
        number &= 0xFFFF
        font = self.fonts.get(self.form.font)
        if 0xF000 <= number <= 0xF0FF:
            self.show(symbol_text(font.symbols if font is not None else "", number))
        elif 0xDC00 <= number <= 0xDFFF or 0xD800 <= number <= 0xDBFF:
            self.surrogate(number)
        else:
            self.show(chr(number))
        self.to_skip = self.form.skipped

    def surrogate(self, number: int) -> None:
        """Show a character beyond the first 65,536, which comes in two halves."""
        if number < 0xDC00:
            self.high = number
        elif self.high:
            self.show(chr(0x10000 + ((self.high - 0xD800) << 10) + (number - 0xDC00)))
            self.high = 0

    def symbol(self, char: str) -> None:
        if char == "*":
            self.starred = True
            return
        if self.bytes:
            self.bytes_end()
        if self.to_skip:
            self.to_skip -= 1
        elif char in SYMBOLS:
            self.show(SYMBOLS[char])
        elif char in "\r\n":
            self.word("par", None)

    def word(self, name: str, value: str | None) -> None:
        starred, self.starred = self.starred, False
        if name == "bin":
            self.at += max(0, int(value or 0))
            return
        if self.to_skip and name != "u":
            self.to_skip -= 1
            return
        if starred and name not in TEXT_AFTER_STAR:
            self.skip_group()
            return
        if name in NOT_TEXT:
            self.skip_group()
        elif name == "u":
            self.unicode(int(value or 0))
        elif name in SIGNS:
            self.show(SIGNS[name])
        elif name in STORIES:
            self.story_begin(STORIES[name])
        elif name in MATH:
            before, after = MATH[name]
            self.show(before)
            if self.groups:
                self.groups[-1].close = after
        elif (action := _ACTIONS.get(name)) is not None:
            action(self, int(value) if value is not None else None)

    def font_table(self) -> None:
        self.fonts |= fonts_read(self.skip_group())

    def style_sheet(self) -> None:
        self.headings |= headings_read(self.skip_group())

    def default_encoding(self, number: int) -> None:
        self.encoding = code_page(number)

    def style(self, number: int) -> None:
        level = self.headings.get(number)
        self.form.level = -1 if level == 0 else level or 0

    def outline_level(self, number: int) -> None:
        self.form.level = number + 1 if 0 <= number < 9 else 0

    def field_result(self) -> None:
        link = _LINK.search(self.instruction)
        self.instruction = ""
        if link and self.groups:
            self.groups[-1].is_link = True
            self.story.link_begin(link[1])

    def paragraph(self) -> None:
        self.story.paragraph_end(self.form)
        if self.story.kind == "body":
            self.flush()

    def inner_rows(self) -> None:
        if self.groups:
            self.groups[-1].row, self.story.row = self.story.row, RowShape()

    def raise_by(self, number: int | None, kind: str) -> None:
        self.form.raised = "" if number == 0 else kind

    def alternatives(self) -> None:
        """Skip the first of two forms of a text, which is for programs without Unicode."""
        start = self.data.find("{", self.at)
        if start >= 0:
            self.at = start + 1
            self.open()
            self.skip_group()


def _is_on(number: int | None) -> bool:
    return number != 0


def _set(name: str) -> Callable[[_Reader, int | None], None]:
    return lambda reader, number: setattr(reader.form, name, _is_on(number))


def _new_row(reader: _Reader, _: int | None) -> None:
    reader.story.row = RowShape()


_ACTIONS: dict[str, Callable[[_Reader, int | None], None]] = {
    "par": lambda reader, _: reader.paragraph(),
    "sect": lambda reader, _: reader.paragraph(),
    "pard": lambda reader, _: reader.form.reset_paragraph(),
    "plain": lambda reader, _: _plain(reader),
    "v": _set("hidden"),
    "deleted": _set("hidden"),
    "info": _set("hidden"),
    "strike": _set("struck"),
    "striked": _set("struck"),
    "super": lambda reader, number: reader.raise_by(number, "sup"),
    "sub": lambda reader, number: reader.raise_by(number, "sub"),
    "up": lambda reader, number: reader.raise_by(number, "sup"),
    "dn": lambda reader, number: reader.raise_by(number, "sub"),
    "nosupersub": lambda reader, _: reader.raise_by(0, ""),
    "f": lambda reader, number: setattr(reader.form, "font", number or 0),
    "deff": lambda reader, number: setattr(reader, "default_font", number or 0),
    "uc": lambda reader, number: setattr(reader.form, "skipped", max(0, min(number or 0, 10))),
    "ansicpg": lambda reader, number: reader.default_encoding(number or 0),
    "mac": lambda reader, _: reader.default_encoding(10000),
    "pc": lambda reader, _: reader.default_encoding(437),
    "pca": lambda reader, _: reader.default_encoding(850),
    "fonttbl": lambda reader, _: reader.font_table(),
    "stylesheet": lambda reader, _: reader.style_sheet(),
    "s": lambda reader, number: reader.style(number or 0),
    "outlinelevel": lambda reader, number: reader.outline_level(9 if number is None else number),
    "ls": lambda reader, number: setattr(reader.form, "listed", bool(number)),
    "ilvl": lambda reader, number: setattr(reader.form, "depth", max(0, min(number or 0, 8)) + 1),
    "fldrslt": lambda reader, _: reader.field_result(),
    "upr": lambda reader, _: reader.alternatives(),
    "intbl": lambda reader, _: setattr(reader.form, "in_table", True),
    "itap": lambda reader, number: setattr(reader.form, "nesting", number or 1),
    "trowd": _new_row,
    "trhdr": lambda reader, _: setattr(reader.story.row, "is_header", True),
    "trleft": lambda reader, number: setattr(reader.story.row, "left", number or 0),
    "clmrg": lambda reader, _: setattr(reader.story.row, "merged_left", True),
    "clvmrg": lambda reader, _: setattr(reader.story.row, "merged_up", True),
    "cellx": lambda reader, number: reader.story.row.edge(number or 0),
    "cell": lambda reader, _: reader.story.cell_end(),
    "row": lambda reader, _: reader.story.row_end(),
    "nesttableprops": lambda reader, _: reader.inner_rows(),
    "nestcell": lambda reader, _: reader.story.inner_cell_end(),
    "nestrow": lambda reader, _: reader.story.inner_row_end(),
}


def _plain(reader: _Reader) -> None:
    reader.form.reset_characters(reader.default_font)
    # Within the description of the file nothing is text.
    if not any(group.form.hidden for group in reader.groups[-1:]):
        reader.form.hidden = False
