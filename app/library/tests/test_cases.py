"""Small files that were read wrongly, each for a kind of fault: what must be in their text, and what must not."""

from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import full_text
from app.library.parsers.detect import detect_media_type

CASES = Path(__file__).parent / "cases"
# Texts that the file's own text must have as they stand; texts that no reading may make of it.
EXPECTED: dict[str, tuple[list[str], list[str]]] = {
    "c01_twoheader.csv": (["2032 Actual: 517", "(3 rows)"], []),
    "c03_blankdown.csv": (["Region: Upland; Depot: Stenfors; Phone: 555-0162"], []),
    "d01_autonumber.docx": (["2.3 Interest on late payment is seven percent a year"], []),
    "d03_spanheader.docx": (["Product: Anchors", "Year 2032 Actual: 517"], []),
    "d05_endnote.docx": (["36 hours before sailing"], []),
    "d08_footnote_section.docx": (["Staff get 27 days.\n\nStaff under 21 get three days more."], []),
    "d10_nested.docx": (["Charger: Raven; Ratings: Amps 32, Volts 400; Warranty years: 5"], []),
    "d12_link.docx": (["https://boats.example.org/reserve-form"], []),
    "h01_sup.html": (["480 euros", "10^6", "CO2 below 800 ppm"], ["4802", "106", "CO 2"]),
    "h03_imgalt.html": (["Feature: Weekend support; Basic: No; Plus: Yes"], []),
    "h05_cookie.html": (["kept for 19 days"], []),
    "h07_tdheader.html": (["Line: Tram 47; Minutes between cars: 146; Seats: 340", "(59 rows)"], []),
    "h09_grouprows.html": (
        ["Express, same day; Item: Coat; Price: 19.90", "Normal, three days; Item: Coat; Price: 11.20"],
        [],
    ),
    "h11_tabs.html": (["/quiet-mode-9"], []),
    "h13_precell.html": (["Code: P-33; Meaning: Oil low; Command: oil fill 3"], []),
    "h15_dl_table_inline.html": (["GK-4471", "SE-902"], []),
    "h19_entity_controls.html": (["door code is 4471"], ["\u202e", "\u200b", "\xad"]),
    "l3_liga.txt": (["The coffee is free", "The office opens"], ["\ufb00"]),
    "m01_br.md": (["Service: Portal; Ports: 443 8443; Days: Mon Tue"], ["4438443"]),
    "m03_hr_start.md": (["16:20 on Fridays"], []),
    "m05_placeholder.md": (["tool --id <tenant-id> --zone <zone>", "List<String>", "a<b and c>d"], []),
    "m08_entities.md": (["door code is 4471", "Door: Outer; Code: 9026"], ["\u202e", "\u200b", "\xad"]),
    "p01_form.pdf": (
        ["Name of the boat: Gullvinge", "Length in metres: 11.4", "Winter storage wanted: yes", "Berth: Pier C"],
        [],
    ),
    "p03_threecol.pdf": (["The fine for a net is 640 crowns"], []),
    "p05_records.pdf": (["Room 204\n\nKey code 7752", "Room 205"], []),
    "p07_lonenumber.pdf": (["418", "1267", "93"], []),
    "p09_superscript.pdf": (["350 crowns a night", "4 x 10^5 litres"], ["3502", "105"]),
    "p12_link.pdf": (["https://dive.example.org/enrol/5"], []),
    "t01_hyphen.txt": (["examination", "treasurer", "registration"], ["exami-", "trea-"]),
    "x02_legacy.xls": (["Number of freshwater ducks per year", "Year: 2019; Freshwater Ducks: 120"], []),
    "t03_mixed.txt": (["Für Motoren ist Käthe Böhme zuständig", "Lösch"], ["\ufffd"]),
}


def test_every_case_has_its_expectation() -> None:
    assert {path.name for path in CASES.iterdir()} - {"SOURCE.txt"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_is_read_right(name: str) -> None:
    path = CASES / name
    text = full_text(parse(path, detect_media_type(path, name)).blocks)
    present, absent = EXPECTED[name]
    assert [each for each in present if each not in text] == [], text
    assert [each for each in absent if each in text] == [], text
