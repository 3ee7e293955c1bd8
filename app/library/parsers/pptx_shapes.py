"""Shapes of a slide in reading order: text, groups, tables, charts, SmartArt, pictures with words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from app.library.parsers.blocks import ParseError
from app.library.parsers.charts import CHARTS
from app.library.parsers.inline import described
from app.library.parsers.pptx_text import MC, A, Marks, R, body_text, marks_of
from app.library.parsers.reading_order import Area, reading_order
from app.library.parsers.tables import Cell, Row, grid

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_DECORATIVE = "{http://schemas.microsoft.com/office/drawing/2017/decorative}decorative"
# Groups in groups beyond this depth are no drawing.
_MAX_DEPTH = 30
_SHAPES = frozenset(f"{P}{name}" for name in ("sp", "grpSp", "graphicFrame", "pic", "cxnSp", "contentPart"))
_TITLES = frozenset({"title", "ctrTitle"})
_LISTED = frozenset({"", "body", "obj", "half", "quarter", "tbl", "chart", "dgm", "media"})


@dataclass(frozen=True, slots=True)
class Holder:
    """A placeholder of a layout or master: its area and the marks of its levels."""

    kind: str
    index: str
    area: Area | None
    marks: Marks


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape that has something to read. kind: of its placeholder, or "" for others."""

    element: etree._Element
    kind: str
    marks: Marks


def shapes(tree: etree._Element, holders: list[Holder], depth: int = 0) -> Iterator[Shape]:
    """Yield the shapes of a tree or group in reading order, those in groups at the place of their group.

    holders: the placeholders of the layout, then those of its master.
    """
    if depth > _MAX_DEPTH:
        raise ParseError("file_too_complex", "groups nested too far")
    elements = list(_children(tree, depth))
    held = [_holder(element, holders) for element in elements]
    areas = [_area(element) or holder.area for element, holder in zip(elements, held, strict=True)]
    from_right = tree.find(f".//{A}pPr[@rtl='1']") is not None
    for number in reading_order(areas, from_right=from_right):
        element = elements[number]
        if element.tag == f"{P}grpSp":
            yield from shapes(element, holders, depth + 1)
        else:
            yield Shape(element, held[number].kind, held[number].marks)


def _children(tree: etree._Element, depth: int) -> Iterator[etree._Element]:
    for child in tree:
        if child.tag in _SHAPES:
            properties = child.find(f".//{P}cNvPr")
            if properties is None or properties.get("hidden", "0") not in ("1", "true"):
                yield child
        elif child.tag == f"{MC}AlternateContent":
            if depth > _MAX_DEPTH:
                raise ParseError("file_too_complex", "alternatives nested too far")
            options = [each for each in child if each.tag in (f"{MC}Choice", f"{MC}Fallback")]
            # The first alternative that has shapes known here.
            yield from next(filter(None, (list(_children(each, depth + 1)) for each in options)), [])


def holders_of(root: etree._Element | None, otherwise: list[Holder]) -> list[Holder]:
    """Return the placeholders of a layout or master. otherwise: those that it is based on."""
    own: list[Holder] = []
    styles = root.find(f"{P}txStyles") if root is not None else None
    body = marks_of(styles.find(f"{P}bodyStyle")) if styles is not None else {}
    for shape in root.iter(f"{P}sp") if root is not None else ():
        mark = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
        if mark is None:
            continue
        base = _holder(shape, otherwise)
        listed = body if base.kind in _LISTED else {}
        text = marks_of(shape.find(f"{P}txBody/{A}lstStyle"))
        own.append(Holder(base.kind, mark.get("idx", ""), _area(shape) or base.area, {**listed, **base.marks, **text}))
    return own + otherwise


def _holder(element: etree._Element, holders: list[Holder]) -> Holder:
    """Return the placeholder that a shape fills, or one without a kind."""
    mark = element.find(f"*/{P}nvPr/{P}ph")
    if mark is None:
        return Holder("", "", None, {})
    kind, index = mark.get("type", "obj"), mark.get("idx", "")
    for holder in holders:
        if index and holder.index == index:
            return Holder(kind, index, holder.area, holder.marks)
    for holder in holders:
        same = holder.kind == kind or {holder.kind, kind} <= _TITLES or (holder.kind in _LISTED and kind in _LISTED)
        if same:
            return Holder(kind, index, holder.area, holder.marks)
    return Holder(kind, index, None, {})


def _area(element: etree._Element) -> Area | None:
    frame = element.find(f"{P}xfrm")
    if frame is None:
        frame = element.find(f"{P}spPr/{A}xfrm")
    if frame is None:
        frame = element.find(f"{P}grpSpPr/{A}xfrm")
    offset, extent = (frame.find(f"{A}off"), frame.find(f"{A}ext")) if frame is not None else (None, None)
    if offset is None or extent is None:
        return None
    try:
        left, top = float(offset.get("x", "")), float(offset.get("y", ""))
        return left, top, left + float(extent.get("cx", "")), top + float(extent.get("cy", ""))
    except ValueError:
        return None


def is_title(shape: Shape) -> bool:
    return shape.kind in _TITLES


def picture_words(element: etree._Element) -> str:
    """Return the words that a person gave to a picture or drawing, or ""."""
    properties = element.find(f".//{P}cNvPr")
    if properties is None or any(each.get("val") in ("1", "true") for each in properties.iter(_DECORATIVE)):
        return ""
    return described(properties.get("descr", ""))


def table_grid(table: etree._Element, links: Mapping[str, str]) -> list[Row]:
    rows = [
        [
            Cell(body_text(cell.find(f"{A}txBody"), links), _span(cell, "gridSpan"), _span(cell, "rowSpan"))
            for cell in row.iterfind(f"{A}tc")
            if cell.get("hMerge", "0") not in ("1", "true") and cell.get("vMerge", "0") not in ("1", "true")
        ]
        for row in table.iterfind(f"{A}tr")
    ]
    properties = table.find(f"{A}tblPr")
    named = properties is not None and properties.get("firstRow", "0") in ("1", "true")
    return grid(rows, [named])


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name, "1")
    return int(value) if value.isdecimal() and len(value) < 7 else 1


def chart_relation(frame: etree._Element) -> str:
    chart = next(frame.iter(*CHARTS), None)
    return chart.get(f"{R}id", "") if chart is not None else ""


def diagram_relation(frame: etree._Element) -> str:
    parts = next(frame.iter(f"{_DGM}relIds"), None)
    return parts.get(f"{R}dm", "") if parts is not None else ""


def diagram_items(root: etree._Element, links: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield depth from 1 and text of the points of a SmartArt drawing, in its order."""
    texts: dict[str, str] = {}
    start = ""
    for point in root.iterfind(f"{_DGM}ptLst/{_DGM}pt"):
        kind, key = point.get("type", "node"), point.get("modelId", "")
        if kind == "doc":
            start = key
        elif kind in ("node", "asst"):
            texts[key] = body_text(point.find(f"{_DGM}t"), links)
    below: dict[str, list[tuple[int, str]]] = {}
    for line in root.iterfind(f"{_DGM}cxnLst/{_DGM}cxn"):
        if line.get("type", "parOf") == "parOf":
            order = line.get("srcOrd", "0")
            child = (int(order) if order.isdecimal() else 0, line.get("destId", ""))
            below.setdefault(line.get("srcId", ""), []).append(child)
    pending = [(1, key) for _, key in sorted(below.get(start, []), reverse=True)]
    seen: set[str] = set()
    while pending:
        depth, key = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        if texts.get(key):
            yield depth, texts[key]
        pending.extend((depth + 1, child) for _, child in sorted(below.get(key, []), reverse=True))
