"""Tables of a sheet: which rows name the columns, which are titles, groups or pairs, and how each row is read."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.library.parsers.rows import VALUE, are_names, row_texts
from app.library.parsers.tables import Row, column_names, header_rows, leading_blanks, named_cells, names_columns

# A table is judged by so many of its first rows.
SAMPLE_ROWS = 100
# More rows than this that look like names are a table set in bold.
_MAX_NAMING = 3
_TITLES_WITHIN = 10
_NOTHING = ("", "-", "\u2013", "\u2014", "n/a", "N/A")
_TOTAL = re.compile(r"(?:grand |sub-?)?(?:total|sum|gesamt|insgesamt|somme|suma|totaal)", re.I)

Line = tuple[str, int]


def filled(row: Row) -> int:
    """Return how many cells of a row have text, each once whatever it covers."""
    return row.filled if row.origins else sum(map(bool, row.texts))


def with_note(text: str, note: str | None) -> str:
    """Return the text of a cell with the note beside it."""
    return f"{text} ({note})".strip() if note else text


def parts_of(rows: Sequence[Row], hidden_columns: frozenset[int]) -> list["SheetTable"]:
    """Return the tables of the first rows of a region: several where blank columns part tables of their own."""
    used = sorted({column for row in rows for column, text in enumerate(row.texts) if text})
    starts = [at for before, at in zip([-2, *used], used, strict=False) if at > before + 1]
    if len(starts) > 1:
        ends: list[int | None] = [*starts[1:], None]
        parts = [SheetTable(rows, left, right, hidden_columns) for left, right in zip(starts, ends, strict=True)]
        apart = len({part.first for part in parts}) == len(parts)
        # Columns of numbers beside a blank column have their rows' labels at the left of it.
        if all(part.is_table and (apart or part.has_labels) for part in parts):
            return parts
    table = SheetTable(rows, used[0] if used else 0, None, hidden_columns)
    table.is_alone = True
    return [table]


class SheetTable:
    """A table of a sheet.

    header: numbers of the rows that name the columns. named_at: place of the header's block, -1 before it is written.
    count: rows below the header that were read. pairs: it is names with their values beside them.
    group: the title of the rows that follow. first: number of its first row. has_labels: its rows begin with words.
    """

    def __init__(self, rows: Sequence[Row], left: int, right: int | None, hidden_columns: frozenset[int]) -> None:
        self.left, self.right = left, right
        rows = [row for row in map(self.cut, rows) if any(row.texts)]
        self._hidden = frozenset(column - left for column in hidden_columns)
        if len(rows) > _MAX_NAMING and all(row.naming for row in rows[: _MAX_NAMING + 1]):
            rows = [replace(row, naming=False) for row in rows]
        self.header: list[int] = []
        self.names: list[str] | None = None
        self.pairs = _are_pairs(rows)
        place = None if self.pairs else _header_place(rows)
        body = rows
        if place is not None:
            naming = _naming_rows(rows[place:])
            self.header = [row.number for row in naming]
            self.names = column_names(naming)
            body = rows[rows.index(naming[-1]) + 1 :]
        if self.names:
            self.names = [self._marked(name, column) for column, name in enumerate(self.names)]
        self.shown = " | ".join(dict.fromkeys(name for name in self.names or () if name))
        self._rows = len(rows)
        self.first = rows[0].number if rows else 0
        labels = [row.texts[0] for row in body if row.texts and row.texts[0] not in _NOTHING]
        self.has_labels = any(not VALUE.match(label) for label in labels)
        self._filled = leading_blanks(body) if self.names else 0
        self._numeric = _numeric_columns(body)
        self._grouped = self._has_groups(body)
        self._above: list[str] = []
        self.group = ""
        self._groups = 0
        self._totals: set[str] = set()
        self._waiting: Row | None = None
        self.named_at, self.count = -1, 0
        self.is_titled = self.is_alone = False

    @property
    def is_table(self) -> bool:
        """Return whether it stands for itself: it has names for two columns and rows below them, or is pairs."""
        return self.pairs or (sum(map(bool, self.names or ())) > 1 and self._rows > len(self.header))

    @property
    def has_names(self) -> bool:
        return bool(self.names) or self.pairs

    def cut(self, row: Row) -> Row:
        """Return the table's part of a row."""
        if not self.left and self.right is None:
            return row
        part = slice(self.left, self.right)
        notes = {column - self.left: note for column, note in row.notes.items()} if row.notes else None
        return replace(row, texts=row.texts[part], origins=row.origins[part], notes=notes)

    def goes_on(self, rows: Sequence[Row]) -> bool:
        """Return whether rows below a blank row belong to this table: they fit its columns and name none."""
        if not self._covers(rows) or rows[0].naming:
            return False
        first = self.cut(rows[0]).texts
        if self.pairs:
            cells = [[text for text in row.texts if text] for row in rows]
            values = [bool(VALUE.match(row[1])) for row in cells if len(row) == 2]
            return len(values) == len(cells) and (values[0] or len(values) < 3 or not all(values[1:]))
        if not self.names or filled(self.cut(rows[0])) < 2:
            return False
        if [text for text in first if text] == [name for name in self.names if name]:
            return False
        numbers = [first[column] for column in self._numeric if column < len(first) and first[column]]
        if self._numeric:
            return any(map(VALUE.match, numbers))
        used = {column for row in rows for column, text in enumerate(row.texts) if text}
        return min(used) == self.left and max(used) == self.left + len(self.names) - 1

    def takes(self, rows: Sequence[Row]) -> bool:
        """Return whether rows that have no names of their own can be read with the names of this table."""
        return bool(self.names) and self._covers(rows) and any(filled(row) > 1 for row in rows)

    def _covers(self, rows: Sequence[Row]) -> bool:
        used = {column for row in rows for column, text in enumerate(row.texts) if text}
        width = 2 if self.pairs else len(self.names or ())
        return bool(used) and min(used) >= self.left and max(used) < self.left + width

    def lines(self, row: Row) -> Iterator[Line]:
        """Yield the lines of a row below the header, and of those that waited for it, with their rows' numbers."""
        if self.is_alone and any(row.texts[: self.left]):
            for line in row_texts(None, row.texts[: self.left]):
                yield line, row.number
        row = self.cut(row)
        if self._grouped and self._is_group(row):
            yield from self.rest()
            self._waiting = row
            return
        if self._waiting is not None:
            self.group = next(filter(None, self._waiting.texts))
            self._groups += 1
            self._waiting = None
        yield from self._read(row)

    def rest(self) -> Iterator[Line]:
        """Yield the lines of a row that looked like the title of rows below, when there are none."""
        row, self._waiting = self._waiting, None
        if row is not None:
            self.group = ""
            yield from self._read(row)

    def _read(self, row: Row) -> Iterator[Line]:
        if not any(row.texts) and not row.notes:
            return
        self.count += 1
        hidden = " (hidden row)" if row.hidden else ""
        names, texts = self.names, row.texts
        if not names:
            if self._hidden:
                texts = [self._marked(text, column) for column, text in enumerate(texts)]
            pair = [with_note(text, (row.notes or {}).get(column)) for column, text in enumerate(texts) if text]
            if self.pairs and len(pair) == 2:
                yield f"{pair[0].rstrip(' :')}: {pair[1]}{hidden}", row.number
                return
        elif self._filled:
            texts = self._with_blanks_filled(texts)
        if row.notes:
            texts = [with_note(text, row.notes.get(column)) for column, text in enumerate(texts)]
        if row.origins:
            names, texts = named_cells(replace(row, texts=texts), names)
        group = f"{self.group}; " if self.group and not self._is_grand_total(texts) else ""
        for line in row_texts(names, texts):
            yield f"{group}{line}{hidden}", row.number

    def _is_grand_total(self, texts: Sequence[str]) -> bool:
        """Return whether a row is the total of several groups: the last one of them has its own, or none has."""
        if not _TOTAL.match(next(filter(None, texts), "")):
            return False
        grand = self.group in self._totals or (self._groups > 1 and not self._totals)
        self._totals.add(self.group)
        return grand

    def _with_blanks_filled(self, texts: list[str]) -> list[str]:
        texts = list(texts)
        # A row with little else is a total or a remark.
        if sum(map(bool, texts)) * 2 >= len(self.names or ()) - 1:
            for column in range(min(self._filled, len(texts), len(self._above))):
                texts[column] = texts[column] or self._above[column]
        self._above = texts
        return texts

    def _marked(self, text: str, column: int) -> str:
        return f"{text} (hidden column)" if text and column in self._hidden else text

    def _has_groups(self, body: Sequence[Row]) -> bool:
        """Return whether a cell that stands alone in its row titles the rows below it: rows are full otherwise."""
        width = sum(map(bool, self.names or ()))
        alone = sum(1 for row in body if filled(row) == 1)
        complete = sum(1 for row in body if filled(row) * 2 > width)
        return width > 1 and 0 < alone < complete and alone + complete >= 0.9 * len(body)

    def _is_group(self, row: Row) -> bool:
        if filled(row) != 1 or not row.texts[0] or VALUE.match(row.texts[0]):
            return False
        width = len(self.names or ())
        return width > 2 or row.is_across(width)


def _are_pairs(rows: Sequence[Row]) -> bool:
    """Return whether rows are names with their values beside them: the values are of several kinds."""
    cells = [[text for text in row.texts if text] for row in rows if filled(row) > 1]
    keys = [row[0] for row in cells]
    if len(cells) < 2 or len(rows) >= SAMPLE_ROWS or any(len(row) != 2 for row in cells) or len(set(keys)) < len(keys):
        return False
    if any(map(VALUE.match, keys)) or rows[0].naming:
        return False
    if all(key.endswith(":") for key in keys):
        return True
    numbers = sum(1 for row in cells[1:] if VALUE.match(row[1]) or row[1].startswith("="))
    return 0 < numbers < len(cells) - 1


def _header_place(rows: Sequence[Row]) -> int | None:
    """Return where the names of the columns begin: at the first row as wide as most, when it contains no values."""
    if not rows:
        return None
    widths = [sum(map(bool, row.texts)) if filled(row) > 1 else 1 for row in rows]
    width = Counter(widths).most_common(1)[0][0]
    for place, row in enumerate(rows[:_TITLES_WITHIN]):
        if width < 2:
            column = [next(filter(None, other.texts)) for other in rows]
            return place if are_names(column[:1], [[text] for text in column[1:]]) else None
        if widths[place] >= max(2, width * 0.6):
            return place if row.naming or names_columns(row, rows[place + 1 :]) else None
    return None


def _naming_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that name the columns, the first one being such a row."""
    levels = max(1, header_rows(rows))
    if levels > 1 or len(rows) < 3 or filled(rows[1]) <= filled(rows[0]):
        return list(rows[:levels])
    upper, lower, below = rows[0], rows[1], rows[2:]
    words = [column for column, text in enumerate(lower.texts) if text and not VALUE.match(text)]
    over_values = set(words) & set(_numeric_columns(below))
    cells = list(dict.fromkeys(filter(None, lower.texts)))
    if len(over_values) * 2 < max(1, len(words)) or not are_names(cells, [row.texts for row in below]):
        return [upper]
    return [*_spread(upper, lower), lower]


def _spread(upper: Row, lower: Row) -> list[Row]:
    """Return the upper row with its words over all columns that they name together; none where that is not clear.

    One word may name all columns, or each one those between two blank columns.
    """
    columns = [column for column, text in enumerate(lower.texts) if text]
    words = {column: text for column, text in enumerate(upper.texts) if text and columns[0] <= column <= columns[-1]}
    texts = [*upper.texts, *[""] * (len(lower.texts) - len(upper.texts))]
    starts = [column for column in columns if column - 1 not in columns]
    groups = [[column for column in columns if max(s for s in starts if s <= column) == start] for start in starts]
    if len(words) == 1:
        groups = [columns]
    for group in groups:
        inside = [words[column] for column in range(group[0], group[-1] + 1) if column in words]
        if len(inside) != 1:
            return []
        for column in group:
            texts[column] = inside[0]
    return [replace(upper, texts=texts, origins=[*range(len(texts))])]


def _numeric_columns(body: Sequence[Row]) -> list[int]:
    """Return the columns whose texts are nearly all values."""
    columns: list[int] = []
    for column in range(max((len(row.texts) for row in body), default=0)):
        texts = [row.texts[column] for row in body if column < len(row.texts) and row.texts[column] not in _NOTHING]
        if texts and sum(1 for text in texts if VALUE.match(text)) >= 0.8 * len(texts):
            columns.append(column)
    return columns
