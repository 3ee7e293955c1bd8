"""Tables as grids: spans, header rows, groups, blanks that repeat."""

from app.library.parsers.inline import Inline, linked, superscript
from app.library.parsers.tables import Cell, filled_down, grid, table_lines


def lines(*rows: list[Cell | str], marked: tuple[bool, ...] = ()) -> list[str]:
    laid = grid([[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows], marked)
    return [line.text for line in table_lines(laid)]


def test_a_cell_over_rows_and_columns_counts_in_each() -> None:
    assert lines(
        ["Day", "Pressure", "Flow"],
        [Cell("Mon", down=2), "2 bar", "7 l"],
        ["3 bar", "8 l"],
        ["Tue", Cell("off", across=2)],
    ) == [
        "Day | Pressure | Flow (3 rows)",
        "Day: Mon; Pressure: 2 bar; Flow: 7 l",
        "Day: Mon; Pressure: 3 bar; Flow: 8 l",
        "Day: Tue; Pressure, Flow: off",
    ]


def test_a_header_of_two_levels_names_each_column() -> None:
    assert lines(["", Cell("2031", across=2)], ["Depot", "Plan", "Actual"], ["Vik", "1", "2"], marked=(True, True)) == [
        "Depot | 2031 Plan | 2031 Actual",
        "Depot: Vik; 2031 Plan: 1; 2031 Actual: 2",
    ]


def test_a_row_of_one_cell_titles_those_below_but_the_last_is_a_remark() -> None:
    assert lines(
        ["Item", "Price"], [Cell("Express", across=2)], ["Coat", "9"], [Cell("Prices with tax", across=2)]
    ) == ["Item | Price (2 rows)", "Express; Item: Coat; Price: 9", "Express; Item, Price: Prices with tax"]


def test_columns_of_one_name_get_numbers() -> None:
    assert lines(["Name", "Phone", "Phone", "Room"], ["Ann", "1", "2", "a"], ["Bob", "3", "4", "b"])[1] == (
        "Name: Ann; Phone: 1; Phone (2): 2; Room: a"
    )


def test_a_blank_repeats_words_and_never_numbers() -> None:
    rows = grid([[Cell(text) for text in row] for row in (["Coast", "a", "1"], ["", "b", "2"], ["", "c", "3"])])
    filled_down(rows)
    assert [row.texts[0] for row in rows] == ["Coast", "Coast", "Coast"]
    rows = grid([[Cell(text) for text in row] for row in (["1", "a"], ["", "b"])])
    filled_down(rows)
    assert rows[1].texts[0] == ""


def test_raised_text_is_a_power_an_ordinal_or_the_mark_of_a_note() -> None:
    cases = {
        ("4 x 10", "5"): "^5", ("10", "-3"): "^-3", ("10", "\u22126"): "^-6", ("an area of 3 m", "2"): "^2",
        ("x", "n"): "^n", ("250", "1"): "", ("the fee", "2"): "", ("1", "st"): "st", ("", "2"): "2 ",
        ("Ca", "2+"): "2+", ("costs 210", "3"): "", ("word", "*"): "",
    }  # fmt: skip
    assert {case: superscript(*case) for case in cases} == cases


def test_the_address_of_a_link_is_part_of_the_text_unless_it_is_shown() -> None:
    assert linked("here", "https://a.example/x") == "here (https://a.example/x)"
    assert linked("a.example/x", "https://www.a.example/x/") == "a.example/x"
    assert linked("Ann", "mailto:ann@example.org") == "Ann (ann@example.org)"
    for address in ("#top", "javascript:alert(1)", "/local", "data:text/html,x", None):
        assert linked("here", address) == "here"


def test_runs_that_are_nested_wrongly_lose_nothing() -> None:
    inline = Inline()
    inline.begin("sup")
    inline.text("a")
    inline.end("a")
    inline.begin("del")
    inline.text("gone")
    inline.end("del")
    assert inline.take() == "a"
