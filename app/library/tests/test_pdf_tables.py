"""Tables of a PDF: text at places, of which columns, names and rows are made."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from app.library.parsers import parse
from app.library.parsers.blocks import Block
from app.library.parsers.media import PDF
from app.library.tests.pdfs import HEIGHT, made, write

# A line of a table: (x, text, alignment: left, centre or right). Lines are 16 points apart.
Entry = tuple[float, str, str]


def draw(canvas: Canvas, top: float, lines: Sequence[Sequence[Entry]], *, apart: float = 16, bold: int = 0) -> None:
    """Draw lines of a table. bold: the number of lines at the top in bold type."""
    for number, line in enumerate(lines):
        canvas.setFont("Helvetica-Bold" if number < bold else "Helvetica", 10)
        for x, text, alignment in line:
            way = {"left": canvas.drawString, "centre": canvas.drawCentredString, "right": canvas.drawRightString}
            way[alignment](x, HEIGHT - top - number * apart, text)


def row(label: str, *values: str) -> list[Entry]:
    places = (320.0, 400.0, 480.0, 540.0)
    return [(72, label, "left"), *((x, value, "right") for x, value in zip(places, values, strict=False))]


def rows(path: Path) -> list[Block]:
    return [block for block in parse(path, PDF).blocks if block.kind == "table_row"]


def texts(path: Path) -> list[str]:
    return [block.text for block in rows(path)]


def test_a_row_has_the_names_of_two_levels_the_upper_one_between_its_columns(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        draw(
            canvas,
            100,
            [
                [(350, "Three months ended", "centre"), (505, "Nine months ended", "centre")],
                [(310, "2022", "centre"), (390, "2021", "centre"), (470, "2022", "centre"), (530, "2021", "centre")],
                row("Revenue", "$ 5,931", "$ 7,103", "$ 20,923", "$ 19,271"),
                row("Cost of revenue", "2,754", "2,472", "9,400", "6,795"),
                row("Gross profit", "3,177", "4,631", "11,523", "12,476"),
            ],
        )

    found = rows(made(tmp_path / "a.pdf", page))
    assert found[0].text == (
        "Three months ended 2022 | Three months ended 2021 | Nine months ended 2022 | Nine months ended 2021 (3 rows)"
    )
    assert found[1].text == (
        "Revenue; Three months ended 2022: $ 5,931; Three months ended 2021: $ 7,103; "
        "Nine months ended 2022: $ 20,923; Nine months ended 2021: $ 19,271"
    )
    assert all(len(block.boxes) == 1 for block in found)
    assert found[1].boxes[0][0] == pytest.approx(72 / 595, abs=0.01)
    assert found[1].boxes[0][1] < (100 + 2 * 16) / HEIGHT < found[1].boxes[0][3] + 0.01


def test_a_title_over_the_page_and_a_unit_are_no_names(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        write(canvas, 230, 80, ["Northwind Ferries Ltd"])
        draw(
            canvas,
            110,
            [
                [(320, "2031", "right"), (400, "2030", "right")],
                [(360, "(in thousands)", "centre")],
                row("Passengers", "812", "790"),
                row("Cars", "204", "198"),
            ],
        )

    found = texts(made(tmp_path / "a.pdf", page))
    assert found == [
        "(in thousands) | 2031 | 2030 (2 rows)",
        "Passengers; 2031: 812; 2030: 790",
        "Cars; 2031: 204; 2030: 198",
    ]


def test_a_title_inside_a_table_does_not_part_it(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        write(canvas, 72, 60, ["Some text comes first, so that bold type is rare on this page of the report."] * 2)
        draw(canvas, 110, [[(320, "2031", "right"), (400, "2030", "right")]])
        draw(canvas, 126, [[(230, "ASSETS", "centre")]], bold=1)
        draw(canvas, 142, [row("Current assets:"), row("Cash", "812", "790"), row("Boats", "204", "198")])

    assert texts(made(tmp_path / "a.pdf", page)) == [
        "2031 | 2030 (4 rows)",
        "ASSETS",
        "Current assets:",
        "Cash; 2031: 812; 2030: 790",
        "Boats; 2031: 204; 2030: 198",
    ]


def test_lines_of_one_cell_are_joined(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        top: list[list[Entry]] = [[(72, "Berth", "left"), (180, "Condition", "left"), (480, "Price", "right")]]
        first: list[list[Entry]] = [
            [(72, "Pier A", "left"), (180, "Only for boats up to nine", "left"), (480, "120", "right")],
            [(180, "metres, with shore power", "left")],
        ]
        second: list[list[Entry]] = [
            [(72, "Pier B", "left"), (180, "Boats of any length, but", "left"), (480, "310", "right")],
            [(180, "Not in winter", "left")],
        ]
        draw(canvas, 100, top, bold=1)
        draw(canvas, 120, first, apart=12)
        draw(canvas, 150, second, apart=12)

    assert texts(made(tmp_path / "a.pdf", page)) == [
        "Berth | Condition | Price (2 rows)",
        "Berth: Pier A; Condition: Only for boats up to nine metres, with shore power; Price: 120",
        "Berth: Pier B; Condition: Boats of any length, but Not in winter; Price: 310",
    ]


def test_a_label_of_two_lines_belongs_to_the_values_beside_its_last_one(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        draw(
            canvas,
            100,
            [
                [(320, "2031", "right"), (400, "2030", "right")],
                row("Cash", "812", "790"),
                row("Adjustments for gains that were realised and"),
                row("included in net income", "7", "(3)"),
            ],
            apart=13,
        )

    assert texts(made(tmp_path / "a.pdf", page))[-1] == (
        "Adjustments for gains that were realised and included in net income; 2031: 7; 2030: (3)"
    )


def test_a_table_that_goes_on_without_names_keeps_those_of_the_page_before(tmp_path: Path) -> None:
    def first(canvas: Canvas) -> None:
        draw(canvas, 700, [row("Line", "Seats", "Minutes"), row("Tram 4", "180", "12"), row("Tram 6", "160", "15")])

    def second(canvas: Canvas) -> None:
        draw(canvas, 72, [row("Bus 12", "80", "20"), row("Bus 14", "75", "30")])

    assert texts(made(tmp_path / "a.pdf", first, second))[-2:] == [
        "Line: Bus 12; Seats: 80; Minutes: 20",
        "Line: Bus 14; Seats: 75; Minutes: 30",
    ]


def test_a_table_after_other_text_does_not_take_the_names_of_another(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        draw(canvas, 100, [row("Line", "Seats", "Minutes"), row("Tram 4", "180", "12"), row("Tram 6", "160", "15")])
        write(
            canvas,
            72,
            200,
            ["Fares are the same on all lines, and children below seven years travel free.", "So do dogs."] * 2,
        )
        draw(canvas, 300, [row("Adults", "3.40", "2.10"), row("Children", "1.70", "1.10")])

    assert texts(made(tmp_path / "a.pdf", page))[-2:] == ["Adults | 3.40 | 2.10", "Children | 1.70 | 1.10"]


def test_names_that_cannot_be_told_apart_are_not_given(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        draw(
            canvas,
            100,
            [
                [(320, "Length", "right"), (400, "Length", "right")],
                row("Gullvinge", "11.4", "12.1"),
                row("Tern", "9.8", "10.2"),
            ],
        )

    assert texts(made(tmp_path / "a.pdf", page)) == ["Length | Length", "Gullvinge | 11.4 | 12.1", "Tern | 9.8 | 10.2"]


def test_names_with_their_values_beside_them_are_pairs(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        pairs = [("Name of the boat:", "Gullvinge"), ("Length in metres:", "11.4"), ("Winter storage:", "yes")]
        draw(canvas, 100, [[(72, name, "left"), (300, value, "left")] for name, value in pairs])

    assert texts(made(tmp_path / "a.pdf", page)) == [
        "Name of the boat: Gullvinge",
        "Length in metres: 11.4",
        "Winter storage: yes",
    ]
