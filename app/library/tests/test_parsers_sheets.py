"""Spreadsheets: values as their sheets show them, tables in a sheet, and files that were made to harm."""

import zipfile
from datetime import date, time
from pathlib import Path

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.worksheet.worksheet import Worksheet

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import CSV, ODS, XLS, XLSX
from app.library.parsers.number_formats import formatter

CASES = Path(__file__).parent / "cases"
EURO = '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-'
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def read(path: Path, limits: Limits = DEFAULT) -> Parsed:
    parsed = parse(path, detect_media_type(path, path.name), limits)
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def workbook(path: Path, *sheets: tuple[str, list[list[object]]]) -> tuple[openpyxl.Workbook, list[Worksheet]]:
    book = openpyxl.Workbook()
    book.remove(book.active)
    made = []
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        made.append(sheet)
    return book, made


def rows_read(tmp_path: Path, *rows: list[object]) -> list[str]:
    book, _ = workbook(tmp_path, ("S", list(rows)))
    book.save(tmp_path / "a.xlsx")
    return texts(read(tmp_path / "a.xlsx"))[1:]


def test_numbers_are_written_as_their_format_shows_them(subtests: pytest.Subtests) -> None:
    cases: list[tuple[str, float, str]] = [
        ("General", 0.1 + 0.2, "0.3"), ("General", 4006381333931, "4006381333931"), ("General", 1 / 3, "0.3333333333"),
        ("0.00", 0.125, "0.13"), ("0.00", -0.001, "0.00"), ("#,##0.00", 1234567.891, "1,234,567.89"), ("#", 0, ""),
        ("0%", 0.255, "26%"), ("0.0%", 0.1234, "12.3%"), ('#,##0.00 "€"', 1234.5, "1,234.50 €"), (EURO, 0, "- €"),
        (EURO, -7, "-7.00 €"), ("$#,##0;($#,##0)", -1200, "($1,200)"), ("#,##0.00\\ [$€-407]", 12, "12.00 €"),
        ("00000", 123, "00123"), ("000-00-0000", 123456789, "123-45-6789"), ('0.0,," M"', 12345678, "12.3 M"),
        ("# ?/?", 1.5, "1 1/2"), ("0.00E+00", 12345, "1.23E+04"), ("[>=1000]#,##0,\"k\";0", 12345, "12k"),
        ("dd.mm.yyyy", 45365, "14.03.2024"), ("[$-409]d mmmm yyyy;@", 45365, "14 March 2024"), ("h:mm", 0.5, "12:00"),
        ("h:mm AM/PM", 0.75, "6:00 PM"), ("[h]:mm", 1.5, "36:00"),
        ("yyyy-mm-dd hh:mm:ss", 45365.75, "2024-03-14 18:00:00"),
        ("mm:ss.0", 61.5 / 86400, "01:01.5"), ("yyyy", 1e12, "1000000000000"), ('0 "pcs."', 7, "7 pcs."), ("@", 5, "5"),
    ]  # fmt: skip
    for code, value, shown in cases:
        with subtests.test(code=code, value=value):
            assert formatter(code)(value) == shown


def test_a_sheet_is_read_as_people_see_it(tmp_path: Path) -> None:
    book, (sheet, facts) = workbook(
        tmp_path,
        (
            "Prices",
            [
                ["Price list 2031"],
                [],
                ["Article", "Price", "VAT", "Since", "Open", "In stock", "Cost", "EAN"],
                ["Bolt", 1234.5, 0.19, date(2031, 3, 14), time(9, 30), True, 3, 4006381333931],
                ["Nut", 0.3, 0.07, date(2031, 4, 1), time(18, 5), False, 4, "0012"],
                ["Total", "=SUM(B4:B5)"],
            ],
        ),
        ("Facts", [["Opened:", 1961], ["Berths:", 340], ["Harbour master:", "Ida Holm"]]),
    )
    sheet.merge_cells("A1:H1")
    for row in (4, 5):
        for column, code in zip("BCDE", ('#,##0.00 "€"', "0%", "dd.mm.yyyy", "h:mm"), strict=True):
            sheet[f"{column}{row}"].number_format = code
    sheet["A4"].comment = Comment("only in boxes", "Ann")
    sheet["A5"].hyperlink = "https://nuts.example.org/m4"
    sheet.column_dimensions["G"].hidden = True
    sheet.row_dimensions[5].hidden = True
    facts.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    parsed = read(tmp_path / "a.xlsx")
    assert texts(parsed) == [
        "Prices",
        "Price list 2031",
        "Article | Price | VAT | Since | Open | In stock | Cost (hidden column) | EAN (3 rows)",
        "Article: Bolt (Comment by Ann: only in boxes); Price: 1,234.50 €; VAT: 19%; Since: 14.03.2031; Open: 9:30; "
        "In stock: TRUE; Cost (hidden column): 3; EAN: 4006381333931",
        "Article: Nut (https://nuts.example.org/m4); Price: 0.30 €; VAT: 7%; Since: 01.04.2031; Open: 18:05; "
        "In stock: FALSE; Cost (hidden column): 4; EAN: 0012 (hidden row)",
        "Article: Total; Price: =SUM(B4:B5)",
        "Facts (hidden sheet)",
        "Opened: 1961",
        "Berths: 340",
        "Harbour master: Ida Holm",
    ]
    assert parsed.warnings == ("formulas_without_value:Prices!B6",)
    assert [block.rows for block in parsed.blocks[1:4]] == [(1, 1), (3, 3), (4, 4)]
    assert {block.sheet for block in parsed.blocks} == {"Prices", "Facts"}


def test_merged_names_of_two_levels_name_each_column(tmp_path: Path) -> None:
    book, (sheet,) = workbook(
        tmp_path,
        (
            "S",
            [["Depot", "2031", None, "2032"], [None, "Plan", "Actual", "Plan", "Actual"], ["Vik", 410, 388, 450, 517]],
        ),
    )
    for area in ("B1:C1", "D1:E1", "A1:A2"):
        sheet.merge_cells(area)
    book.save(tmp_path / "a.xlsx")
    assert texts(read(tmp_path / "a.xlsx"))[2] == (
        "Depot: Vik; 2031 Plan: 410; 2031 Actual: 388; 2032 Plan: 450; 2032 Actual: 517"
    )


def test_tables_below_and_beside_each_other_have_names_of_their_own(tmp_path: Path) -> None:
    assert rows_read(
        tmp_path,
        ["Depot", "Boats", None, "Day", "Tide"],
        ["Vik", 410, None, "Mon", "2.1 m"],
        ["Alm", 90, None, "Tue", "1.9 m"],
        [],
        ["Region", "Phone"],
        ["Coast", "555-0141"],
        [],
        ["Upland", "555-0161"],
    ) == [
        "Depot | Boats (2 rows)", "Depot: Vik; Boats: 410", "Depot: Alm; Boats: 90",
        "Day | Tide (2 rows)", "Day: Mon; Tide: 2.1 m", "Day: Tue; Tide: 1.9 m",
        "Region | Phone (2 rows)", "Region: Coast; Phone: 555-0141", "Region: Upland; Phone: 555-0161",
    ]  # fmt: skip


def test_names_above_a_blank_row_and_one_word_over_many_columns(tmp_path: Path) -> None:
    assert rows_read(
        tmp_path,
        ["In millions", None, None, None, "January to June"],
        [None, "Sales", "Profit", "Loss", "Costs"],
        [],
        ["North", 12, 3, 1, 2],
        ["South", 9, 2, 0, 1],
    ) == [
        "In millions | January to June",
        "Sales | Profit | Loss | Costs (2 rows)",
        "North; Sales: 12; Profit: 3; Loss: 1; Costs: 2",
        "South; Sales: 9; Profit: 2; Loss: 0; Costs: 1",
    ]


def test_a_cell_alone_titles_the_rows_below_it_but_not_the_grand_total(tmp_path: Path) -> None:
    assert rows_read(
        tmp_path,
        ["Service", "Days", "Fee"], ["Normal"], ["Coat", 3, 11.2], ["Express"], ["Coat", 1, 19.9], ["Total", 4, 31.1],
    ) == [
        "Service | Days | Fee (3 rows)", "Normal; Service: Coat; Days: 3; Fee: 11.2",
        "Express; Service: Coat; Days: 1; Fee: 19.9", "Service: Total; Days: 4; Fee: 31.1",
    ]  # fmt: skip


def test_a_total_of_a_group_belongs_to_it_where_each_group_has_one(tmp_path: Path) -> None:
    rows = [["Fee", "Days", "Sum"], ["Normal"], ["Coat", 3, 11], ["Total", 3, 11], ["Express"], ["Hat", 1, 9]]
    assert rows_read(tmp_path, *rows, ["Total", 1, 9], ["Total", 4, 20])[-2:] == [
        "Express; Fee: Total; Days: 1; Sum: 9",
        "Fee: Total; Days: 4; Sum: 20",
    ]


def test_numbered_rows_without_names_are_no_names(tmp_path: Path) -> None:
    rows = [
        [1.01, "Voltage", "kV", "high", "north"],
        [1.02, "Current", "A", "low", "south"],
        [1.03, "Phases", "-", "", ""],
    ]
    assert rows_read(tmp_path, *rows)[0] == "1.01 | Voltage | kV | high | north"


def test_what_is_beyond_the_limits_is_left_out_with_a_warning(tmp_path: Path) -> None:
    book, _ = workbook(tmp_path, ("Data", [["Name", "Size"], *([f"n{number}", number] for number in range(200))]))
    book.save(tmp_path / "a.xlsx")
    parsed = read(tmp_path / "a.xlsx", Limits(blocks=50))
    assert len(parsed.blocks) == 50
    assert parsed.warnings == ("rows_not_read:Data, row 50",)
    (tmp_path / "a.csv").write_text("Name,Size\n" + "".join(f"n{number},{number}\n" for number in range(200)))
    assert read(tmp_path / "a.csv", Limits(blocks=50)).warnings == ("rows_not_read:row 51",)


def test_a_csv_is_decoded_as_a_whole_though_read_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = f"{'n' * 1000},1\n" * 1100
    path.write_bytes(f"Name,Size\n{rows}Käthe,7\n".encode("cp1252"))
    assert texts(parse(path, CSV))[-1] == "Name: Käthe; Size: 7"
    path.write_bytes(("Name,Size\n" + rows + "Käthe,7\n" * 5 + "Böhme,8\n").encode() + "Löhe,9\n".encode("cp1252"))
    assert [text[6:11] for text in texts(parse(path, CSV))[-3:]] == ["Käthe", "Böhme", "Löhe;"]


def test_an_old_workbook_is_read_like_a_new_one() -> None:
    parsed = parse(CASES / "x02_legacy.xls", XLS)
    assert texts(parsed)[:4] == [
        "Duck Observations", "Number of freshwater ducks per year", "Year | Freshwater Ducks (6 rows)",
        "Year: 2019; Freshwater Ducks: 120",
    ]  # fmt: skip
    assert parsed.blocks[3].rows == (5, 5)


ODS_HEAD = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/">'
)


def spreadsheet(path: Path, tables: str, styles: str = "", doctype: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", ODS)
        archive.writestr(
            "content.xml",
            f"{doctype}{ODS_HEAD}<office:automatic-styles>{styles}</office:automatic-styles><office:body>"
            f"<office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def cells(*shown: str, attributes: str = "") -> str:
    inside = "".join(
        f"<table:table-cell>{'<text:p>' + text + '</text:p>' if text else ''}</table:table-cell>" for text in shown
    )
    return f"<table:table-row {attributes}>{inside}</table:table-row>"


def test_an_open_document_sheet_has_its_shown_texts_links_notes_and_hidden_parts(tmp_path: Path) -> None:
    link = '<text:a xlink:href="https://nuts.example.org/m4">Nut</text:a>'
    note = (
        "<table:table-row><table:table-cell><office:annotation><dc:creator>Ann</dc:creator><text:p>in boxes</text:p>"
        "</office:annotation><text:p>Gear</text:p></table:table-cell>"
        '<table:table-cell table:formula="of:=SUM([.B2:.B3])"/></table:table-row>'
    )
    blank = '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    blank = f'<table:table-row table:number-rows-repeated="3">{blank}'
    old = '<table:table table:name="Old" table:style-name="ta2">' + cells("Closed in 2019") + "</table:table>"
    style = '<style:table-properties table:display="false"/>'
    path = spreadsheet(
        tmp_path / "a.ods",
        '<table:table table:name="Prices"><table:table-column/><table:table-column table:visibility="collapse"/>'
        + blank + cells("Article", "Price") + cells(link, "1.234,50 €", attributes='table:visibility="filter"') + note
        + "</table:table>" + old,
        f'<style:style style:name="ta2" style:family="table">{style}</style:style>',
    )  # fmt: skip
    parsed = read(path)
    assert texts(parsed) == [
        "Prices", "Article | Price (hidden column) (2 rows)",
        "Article: Nut (https://nuts.example.org/m4); Price (hidden column): 1.234,50 € (hidden row)",
        "Article: Gear (Comment by Ann: in boxes); Price (hidden column): =SUM([.B2:.B3])",
        "Old (hidden sheet)", "Closed in 2019",
    ]  # fmt: skip
    assert parsed.blocks[1].rows == (4, 4)
    assert parsed.warnings == ("formulas_without_value:Prices!B6",)


def hostile(path: Path, sheet: str, **parts: str) -> Path:
    """Write a workbook whose sheet is this XML."""
    book, _ = workbook(path, ("S", [["a"]]))
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["xl/worksheets/sheet1.xml"] = sheet.encode()
    content |= {name.replace("__", "/") + ".xml": text.encode() for name, text in parts.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def test_hostile_workbooks_end_with_a_reason(tmp_path: Path) -> None:
    entity = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    bomb = SHEET + "<sheetData>" + "<row/>" * 3_000_000 + "</sheetData></worksheet>"
    cases = {
        "entity.xlsx": (
            hostile(tmp_path / "entity.xlsx", f"{entity}{SHEET}<sheetData/></worksheet>"),
            "file_too_complex",
        ),
        "bomb.xlsx": (hostile(tmp_path / "bomb.xlsx", bomb), "file_too_complex"),
        "broken.xlsx": (hostile(tmp_path / "broken.xlsx", f"{SHEET}<sheetData><row><c>"), "broken_file"),
        "empty.xlsx": (hostile(tmp_path / "empty.xlsx", f"{SHEET}<sheetData/></worksheet>"), "empty_file"),
        "entity.ods": (spreadsheet(tmp_path / "entity.ods", "<table:table/>", doctype=entity), "file_too_complex"),
    }
    (tmp_path / "broken.xls").write_bytes((CASES / "x02_legacy.xls").read_bytes()[:9000])
    cases["broken.xls"] = tmp_path / "broken.xls", "broken_file"
    for name, (path, code) in cases.items():
        with pytest.raises(ParseError) as raised:
            parse(path, {"xlsx": XLSX, "xls": XLS, "ods": ODS}[name.rpartition(".")[2]])
        assert raised.value.code == code, name


def test_places_far_out_and_false_references_cost_nothing(tmp_path: Path) -> None:
    sheet = (
        f'{SHEET}<dimension ref="A1:XFD1048576"/><cols><col min="1" max="99999999999" hidden="1"/></cols><sheetData>'
        '<row r="5"><c r="A5" t="s"><v>99999</v></c><c r="XFD5"><v>1</v></c><c r="A5"><v>2</v></c></row>'
        '<row r="2"><c r="ZZZZZ9" s="777"><v>NaN</v></c></row><row r="9999999999"><c><v>3</v></c></row></sheetData>'
        '<mergeCells><mergeCell ref="A1:XFD1048576"/><mergeCell ref="nonsense"/></mergeCells></worksheet>'
    )
    parsed = read(hostile(tmp_path / "far.xlsx", sheet))
    assert [block.rows for block in parsed.blocks[1:]] == [(5, 5), (6, 6), (7, 7)]
    far = f'<table:table-row table:number-rows-repeated="999999999">{"<table:table-cell/>" * 3}</table:table-row>'
    path = spreadsheet(tmp_path / "far.ods", f'<table:table table:name="S">{far}{cells("here")}</table:table>')
    with pytest.raises(ParseError, match="empty_file"):
        parse(path, ODS)
