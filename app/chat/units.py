"""Units of a passage's text that can be read alone: sentences, and rows of tables."""

import re

from app.lib.sentences import sentences

Span = tuple[int, int]

COLUMN = " | "  # between the cells of a row whose table has no names of columns
# `Name: value; Name: value`, as app/library/parsers/rows.py writes a row of a table with them.
_LABELLED = re.compile(r"[^:;\n]{1,100}: [^\n]*?; [^:;\n]{1,100}: \S")


def is_row(line: str) -> bool:
    """Return whether a line is the row of a table."""
    return COLUMN in line or _LABELLED.match(line) is not None


def units(passage: str) -> list[Span]:
    """Return the spans of sentences; a row of a table is one span, whatever its cells contain."""
    spans: list[Span] = []
    row_end = 0
    for start, end in sentences(passage):
        if start < row_end:
            spans[-1] = (spans[-1][0], end)
            continue
        spans.append((start, end))
        line_end = passage.find("\n", start)
        line = passage[start:] if line_end < 0 else passage[start:line_end]
        row_end = start + len(line) if is_row(line) else 0
    return spans
