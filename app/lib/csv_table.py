"""Tables as CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

# Characters that make a spreadsheet evaluate a cell as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return the table with a byte order mark (else spreadsheets guess the encoding); no text is a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, int | float):
        return value
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
