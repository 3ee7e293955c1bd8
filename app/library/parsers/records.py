"""Nested values (of JSON and XML) as text: key paths with their values, and lists of records as tables.

A value is a scalar, a list, or something with `items()`: pairs of names and values in the order of the file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from app.library.parsers.blocks import ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import Limits
from app.library.parsers.outline import NOWHERE, Outline, Where
from app.library.parsers.rows import row_texts
from app.library.parsers.tables import Cell, grid, table_lines

# A value with more parts than this, or longer than this, is a section and no cell of a row.
_ROW_PARTS = 60
_CELL_CHARS = 2000
# Names of columns are taken from this many records; further names stand in the rows alone.
_HEADER_RECORDS = 200
_HEADER_NAMES = 60
# An object with fewer parts stays on the lines of its key path, without a heading.
_SECTION_PARTS = 4
_HEADINGS = 5
_TITLES = ("title", "name", "label", "subject", "question", "id", "_id", "key")
_TITLE_CHARS = 120
_TABLE_ROWS = 2

Place = Callable[[int], Where]


def is_object(value: Any) -> bool:
    return type(value) is dict or hasattr(value, "items")


@lru_cache(4096)
def _key(path: str, name: str) -> str:
    """Return the path of a name below another path; the same ones come with every record."""
    return f"{path}.{one_line(name)}" if path and name else path or one_line(name)


def scalar_text(value: Any) -> str:
    """Return a scalar as JSON writes it, a text without its marks."""
    if value is True or value is False:
        return "true" if value else "false"
    if value is None:
        return ""
    return one_line(value) if isinstance(value, str) else str(value)


class Records:
    """Writes values into an outline."""

    def __init__(self, outline: Outline, limits: Limits) -> None:
        self.outline, self._depth = outline, limits.depth

    def add(self, value: Any, level: int = 1) -> None:
        """Add a whole value."""
        if is_object(value):
            self._object(value, "", level, 0)
        elif isinstance(value, list):
            self.entries(value, level)
        else:
            self._line("", value)

    def entries(self, values: Sequence[Any], level: int, depth: int = 0) -> None:
        """Add the entries of a list: a table, sections, or lines."""
        self.stream(values, level, depth=depth)

    def stream(self, values: Iterable[Any], level: int, place: Place = lambda number: NOWHERE, depth: int = 0) -> None:
        """Add entries as they come; the first ones decide their form."""
        self._check(depth)
        remaining = iter(values)
        sample = list(islice(remaining, _HEADER_RECORDS))
        flat = [self._flat(value) for value in sample]
        if sample and all(isinstance(value, list) and not any(map(_is_deep, value)) for value in sample):
            self._matrix([*sample, *remaining])
            return
        header = -1
        if len(sample) >= _TABLE_ROWS and all(record is not None for record in flat):
            header = self._header(flat)
        number = 0
        for number, value in enumerate(_chained(sample, remaining), 1):
            record = flat[number - 1] if number <= len(flat) else self._flat(value)
            self._entry(value, record, number, level, place(number), depth)
        if header >= 0:
            names = self.outline.blocks[header]
            self.outline.blocks[header] = replace(names, text=f"{names.text} ({number:,} rows)")

    def _entry(
        self, value: Any, record: list[tuple[str, str]] | None, number: int, level: int, where: Where, depth: int
    ) -> None:
        if record is not None:
            for line in row_texts([name for name, _ in record], [text for _, text in record]):
                self.outline.add("table_row", line, where)
        elif is_object(value):
            self.outline.heading(min(level, _HEADINGS), _title(value) or str(number), where)
            self._object(value, "", level + 1, depth + 1, where)
        elif isinstance(value, list):
            self.entries(value, level + 1, depth + 1)
        else:
            self.outline.add("list_item", scalar_text(value), where, level=1)

    def _header(self, flat: Sequence[list[tuple[str, str]] | None]) -> int:
        """Add the names of the columns; return the number of their block, -1 when there are none."""
        names = dict.fromkeys(name for record in flat if record for name, _ in record if name)
        if not names:
            return -1
        self.outline.add("table_row", " | ".join(islice(names, _HEADER_NAMES)))
        return len(self.outline.blocks) - 1

    def _flat(self, value: Any) -> list[tuple[str, str]] | None:
        """Return an object of few values as (key path, text); None for anything else."""
        if not is_object(value):
            return None
        pairs: list[tuple[str, str]] = []
        for path, found in _leaves(value, "", 0):
            if found is None or len(pairs) >= _ROW_PARTS or (len(found) > _CELL_CHARS and pairs and len(pairs) > 8):
                return None
            pairs.append((path, found))
        return pairs

    def _object(self, value: Any, path: str, level: int, depth: int, where: Where = NOWHERE) -> None:
        """Add an object: short values on lines of their own, larger ones below their name."""
        self._check(depth)
        for name, inner in value.items():
            key = _key(path, str(name))
            if is_object(inner):
                parts = self._flat(inner)
                if parts is not None and len(parts) < _SECTION_PARTS:
                    for below, text in parts:
                        self._line(f"{key}.{below}" if below else key, text, where)
                else:
                    self.outline.heading(min(level, _HEADINGS), one_line(str(name)), where)
                    self._object(inner, "" if level <= _HEADINGS else key, level + 1, depth + 1, where)
            elif isinstance(inner, list) and any(map(_is_deep, inner)):
                self.outline.heading(min(level, _HEADINGS), one_line(str(name)), where)
                self.entries(inner, level + 1, depth + 1)
            elif isinstance(inner, list):
                self._line(key, ", ".join(map(scalar_text, inner)), where)
            else:
                self._line(key, inner, where)

    def _line(self, key: str, value: Any, where: Where = NOWHERE) -> None:
        text = scalar_text(value)
        if text:
            self.outline.add("list_item", f"{key}: {text}" if key else text, where, level=1)

    def _matrix(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add a list of lists of scalars as a table."""
        for line in table_lines(grid([[Cell(scalar_text(value)) for value in row] for row in rows])):
            self.outline.add("table_row", line.text)

    def _check(self, depth: int) -> None:
        if depth > self._depth:
            raise ParseError("file_too_complex", f"values nested more than {self._depth} deep")


def _is_deep(value: Any) -> bool:
    return isinstance(value, list) or is_object(value)


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str | None]]:
    """Yield the key paths and texts of an object; None as the text of what fits no row."""
    if depth > 4:
        yield path, None
        return
    for name, inner in value.items():
        key = _key(path, str(name))
        if isinstance(inner, str):
            yield key, one_line(inner)
        elif is_object(inner):
            yield from _leaves(inner, key, depth + 1)
        elif isinstance(inner, list):
            if any(map(_is_deep, inner)):
                yield key, None
                return
            yield key, ", ".join(map(scalar_text, inner))
        else:
            yield key, scalar_text(inner)


def _title(value: Any) -> str:
    """Return what names an object: the value of a key such as `title`."""
    texts = {str(name).lower(): scalar_text(inner) for name, inner in value.items() if not _is_deep(inner)}
    return next((texts[name] for name in _TITLES if 0 < len(texts.get(name, "")) <= _TITLE_CHARS), "")


def _chained(first: Iterable[Any], then: Iterable[Any]) -> Iterator[Any]:
    yield from first
    yield from then
