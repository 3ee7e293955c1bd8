"""PDF of a sample text: A4, header and footer with page numbers, headings, steps, ruled tables, one drawing.

`invariant` fixes dates and ids, and pages are not compressed, so the same text gives the same bytes everywhere.
"""

from collections.abc import Callable
from pathlib import Path

from reportlab.graphics.shapes import Circle, Drawing, Line, Rect, String
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from tools.sample_sources.blocks import Block, blocks_read

GREEN = colors.HexColor("#0d6a4b")
GREY = colors.HexColor("#5f5b52")
LINE = colors.HexColor("#c9c5ba")
BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=10.5, leading=15.5, spaceAfter=7)
CELL = ParagraphStyle("cell", parent=BODY, fontSize=9.5, leading=12.5, spaceAfter=0)
HEAD = ParagraphStyle("head", parent=CELL, fontName="Helvetica-Bold", textColor=colors.white)
ITEM = ParagraphStyle("item", parent=BODY, leftIndent=8 * mm, bulletIndent=2 * mm, spaceAfter=4)
HEADINGS = {
    1: ParagraphStyle("h1", parent=BODY, fontName="Helvetica-Bold", fontSize=22, leading=27, spaceAfter=10),
    2: ParagraphStyle(
        "h2", parent=BODY, fontName="Helvetica-Bold", fontSize=15, leading=19, spaceBefore=12, textColor=GREEN
    ),
    3: ParagraphStyle("h3", parent=BODY, fontName="Helvetica-Bold", fontSize=11.5, spaceBefore=6, spaceAfter=4),
}


def pdf_write(*, name: str, path: Path, header: str, footer: str) -> None:
    blocks = blocks_read(name=name)
    document = BaseDocTemplate(
        str(path), pagesize=A4, title=blocks[0].text, author="Tarn & Vale (fictional)", invariant=1, pageCompression=0
    )
    frame = Frame(22 * mm, 22 * mm, A4[0] - 44 * mm, A4[1] - 48 * mm, leftPadding=0, rightPadding=0)
    document.addPageTemplates([PageTemplate(frames=[frame], onPage=_page_frame(header, footer))])
    document.build([flowable for block in blocks for flowable in _flowables(block, width=frame.width)])


def _page_frame(header: str, footer: str) -> Callable[[Canvas, BaseDocTemplate], None]:
    def draw(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8.5)
        canvas.setFillColor(GREY)
        canvas.setStrokeColor(LINE)
        canvas.drawString(22 * mm, A4[1] - 15 * mm, "Tarn & Vale")
        canvas.drawRightString(A4[0] - 22 * mm, A4[1] - 15 * mm, header)
        canvas.line(22 * mm, A4[1] - 17 * mm, A4[0] - 22 * mm, A4[1] - 17 * mm)
        canvas.drawString(22 * mm, 13 * mm, footer)
        canvas.drawRightString(A4[0] - 22 * mm, 13 * mm, f"Page {document.page}")
        canvas.restoreState()

    return draw


def _flowables(block: Block, *, width: float) -> list[Flowable]:
    text = block.text.replace("&", "&amp;")
    match block.kind:
        case "heading":
            return [CondPageBreak(32 * mm), Paragraph(text, HEADINGS[block.level])]
        case "bullet":
            return [Paragraph(text, ITEM, bulletText="\u2022")]
        case "numbered":
            return [Paragraph(text, ITEM, bulletText=f"{block.number}.")]
        case "table":
            return [_table(block.rows, width=width), Spacer(1, 9)]
        case "figure":
            caption = Paragraph("Figure 1. Front of the machine with the door closed", CELL)
            return [KeepTogether([_figure(), Spacer(1, 3), caption, Spacer(1, 8)])]
    return [Paragraph(text, BODY)]


def _table(rows: list[list[str]], *, width: float) -> Table:
    cells = [
        [Paragraph(cell.replace("&", "&amp;"), CELL if at else HEAD) for cell in row] for at, row in enumerate(rows)
    ]
    # Columns share the width by their longest text, within a sixth and three fifths of the page.
    longest = [min(max(len(row[at]) for row in rows), 45) + 4 for at in range(len(rows[0]))]
    shares = [min(max(length / sum(longest), 1 / 6), 3 / 5) for length in longest]
    style = [
        ("BACKGROUND", (0, 0), (-1, 0), GREEN),
        ("GRID", (0, 0), (-1, -1), 0.5, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ]
    return Table(cells, colWidths=[width * share / sum(shares) for share in shares], style=style, repeatRows=1)


def _figure() -> Drawing:
    drawing = Drawing(400, 150)
    drawing.add(Rect(70, 5, 110, 125, rx=8, ry=8, fillColor=colors.HexColor("#e9e6de"), strokeColor=GREY))
    drawing.add(Rect(85, 130, 80, 14, fillColor=colors.HexColor("#d6d2c6"), strokeColor=GREY))
    drawing.add(Rect(90, 88, 70, 30, rx=3, ry=3, fillColor=colors.HexColor("#28322d"), strokeColor=GREY))
    drawing.add(Circle(125, 76, 6, fillColor=colors.white, strokeColor=GREEN, strokeWidth=2))
    drawing.add(Rect(112, 48, 26, 14, fillColor=GREY, strokeColor=GREY))
    drawing.add(Rect(80, 10, 90, 9, fillColor=colors.HexColor("#d6d2c6"), strokeColor=GREY))
    labels = [(137, "Bean hopper"), (103, "Screen"), (76, "Ring light"), (55, "Spouts"), (14, "Drip tray")]
    for at, (y, label) in enumerate(labels):
        drawing.add(Line(150, y, 225, y, strokeColor=LINE))
        drawing.add(String(230, y - 3, f"{at + 1}  {label}", fontName="Helvetica", fontSize=9))
    return drawing
