"""Charts of Office files: the title, the titles of the axes, and the data as the rows of a table."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import zip_longest

from lxml import etree

from app.library.parsers.blocks import BlockKind
from app.library.parsers.encoding import one_line
from app.library.parsers.rows import row_texts

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_CX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
# A chart of more points is a drawing of measurements, not a table that somebody reads.
_CHART_POINTS = 500
_SERIES = 50
_CODE_CHARS = 200
_DATE_FORMAT = re.compile(r"[dmy]{1,4}[-/. ]+[dmy]{1,4}|yyyy", re.I)
_LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_KIND = re.compile(r"(?:3D)?Chart\Z")
_FIRST_DAY = datetime(1899, 12, 30)


# Elements that name the part of a chart; the newer kinds (waterfall, funnel, treemap) are in another form.
CHARTS = (f"{_C}chart", f"{_CX}chart")


def chart_blocks(root: etree._Element) -> Iterator[tuple[BlockKind, str]]:
    """Yield the title of a chart and its data, a row for each category."""
    if root.tag.startswith(_CX):
        yield from _newer_blocks(root)
        return
    titles = [_words(root.find(f".//{_C}chart/{_C}title"))]
    titles += [_words(axis.find(f"{_C}title")) for axis in root.iterfind(f".//{_C}plotArea/*") if axis.tag[-2:] == "Ax"]
    shown = "; ".join(dict.fromkeys(filter(None, titles)))
    kinds = (each.tag.removeprefix(_C) for each in root.iterfind(f".//{_C}plotArea/*"))
    kind = next((_KIND.sub("", each).capitalize() for each in kinds if _KIND.search(each)), "")
    name = f"{kind} chart".strip().capitalize()
    yield "paragraph", f"{name}: {shown}" if shown else name
    names: list[str] = [""]
    columns: list[list[str]] = []
    for series in list(root.iter(f"{_C}ser"))[:_SERIES]:
        names.append(" ".join(_points(series.find(f"{_C}tx"))))
        categories = _points(series.find(f"{_C}cat")) or _points(series.find(f"{_C}xVal"))
        columns = columns or [categories]
        columns.append(_points(series.find(f"{_C}val")) or _points(series.find(f"{_C}yVal")))
    for row in zip_longest(*columns, fillvalue=""):
        for line in row_texts(names, row):
            yield "table_row", line


def _newer_blocks(root: etree._Element) -> Iterator[tuple[BlockKind, str]]:
    kind = next((each.get("layoutId", "") for each in root.iter(f"{_CX}series")), "")
    words = _words(root.find(f"{_CX}chart/{_CX}title"))
    name = f"{kind} chart".strip().capitalize()
    yield "paragraph", f"{name}: {words}" if words else name
    for data in root.iterfind(f"{_CX}chartData/{_CX}data"):
        columns: list[list[str]] = []
        for dimension in data.iterchildren(f"{_CX}strDim", f"{_CX}numDim"):
            # The levels of a category come innermost first.
            levels = list(dimension.iterfind(f"{_CX}lvl"))[::-1]
            columns += [[one_line(each.text or "") for each in level][:_CHART_POINTS] for level in levels]
        for row in zip_longest(*columns[:_SERIES], fillvalue=""):
            for line in row_texts(None, row):
                yield "table_row", line


def _words(title: etree._Element | None) -> str:
    if title is None:
        return ""
    return one_line("".join(each.text or "" for each in title.iter(f"{_A}t"))) or " ".join(_points(title))


def _points(element: etree._Element | None) -> list[str]:
    """Return the values of a series as they are shown, at their places; numbers without binary fractions' noise."""
    if element is None:
        return []
    levels = [list(level.iterfind(f"{_C}pt")) for level in element.iter(f"{_C}lvl")] or [list(element.iter(f"{_C}pt"))]
    default = element.find(f".//{_C}formatCode")
    code = default.text or "" if default is not None else ""
    points: dict[int, str] = {}
    # The levels of a category come innermost first; an outer one is written once for those that it covers.
    for level in reversed(levels):
        named = {_index(point): _shown(point, point.get("formatCode") or code) for point in level[:_CHART_POINTS]}
        last = ""
        for at in range(min(_CHART_POINTS, max([*named, *points], default=-1) + 1)):
            last = named.get(at, last if len(levels) > 1 else "")
            points[at] = f"{points[at]} {last}" if points.get(at) else last
    return [points.get(at, "") for at in range(len(points))]


def _index(point: etree._Element) -> int:
    value = point.get("idx", "")
    return min(int(value), _CHART_POINTS) if value.isdecimal() and len(value) < 9 else _CHART_POINTS


def _shown(point: etree._Element, code: str) -> str:
    value = point.findtext(f"{_C}v") or ""
    try:
        number = float(value)
    except ValueError:
        return value
    code = _LITERAL.sub("", code[:_CODE_CHARS])
    if _DATE_FORMAT.search(code) and 0 < number < 2_900_000:
        return (_FIRST_DAY + timedelta(days=number)).date().isoformat()
    if "%" in code:
        return f"{number * 100:.10g}%"
    return f"{number:.12g}"
