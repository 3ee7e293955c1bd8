from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import RTF

FONTS = (
    r"{\fonttbl{\f0\fcharset0 Times New Roman;}{\f1\fcharset204{\*\panose 0202}Arial Cyr;}{\f2\fcharset128 MS Gothic;}"
    r"{\f3\fcharset2 Wingdings;}}"
)
STYLES = r"{\stylesheet{\ql Normal;}{\s1\ql\b heading 1;}{\s2 \b\outlinelevel1 My own;}{\s3 Title;}{\*\cs10 Font;}}"


def read(folder: Path, body: str, head: str = r"\ansi\ansicpg1252\deff0") -> Parsed:
    path = folder / "a.rtf"
    path.write_bytes(("{\\rtf1" + head + FONTS + STYLES + body + "}").encode("latin-1"))
    assert detect_media_type(path, path.name) == RTF
    parsed = parse(path, RTF)
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def row(cells: list[str], edges: list[str], before: str = "") -> str:
    shape = "".join(f"\\{edge}" if edge.startswith("cl") else f"\\cellx{edge}" for edge in edges)
    return rf"\trowd{before}{shape}\pard\intbl " + "".join(rf"{cell}\cell " for cell in cells) + r"\row"


def test_characters_of_every_encoding_are_read(tmp_path: Path, subtests: pytest.Subtests) -> None:
    cases = {
        r"Gr\'fc\'dfe": "Grüße",
        r"{\f1 \'cf\'f0\'e8\'e2\'e5\'f2}": "Привет",
        # The second byte of a character may be a letter of ASCII.
        r"{\f2 \'83A\'83\'42}": "アィ",
        "{\\f2 \x83\\'41}": "ア",
        r"\uc1\u8364?5 and {\uc0\u8364 5}": "€5 and €5",
        r"\u-10179?\u-8704?": "😀",
        r"\uc2\u8364\'80\'80!": "€!",
        r"{\upr{ascii}{\*\ud{\u9731?}}}": "☃",
        r"{\f3 \'fc} done": "✓ done",
        r"a\~b\_c\-d\emdash e \{x\} \\": "a b-cd\u2014e {x} \\",
        r"one\line two\tab three": "one two three",
    }
    for body, text in cases.items():
        with subtests.test(body):
            assert texts(read(tmp_path, rf"\pard {body}\par")) == [text]


def test_a_mac_file_has_the_encoding_of_its_head(tmp_path: Path) -> None:
    assert texts(read(tmp_path, r"\pard\f9 caf\'8e\par", head=r"\mac\deff9")) == ["café"]


def test_headings_lists_and_hidden_text(tmp_path: Path) -> None:
    body = (
        r"{\info{\title The manual}{\author Nobody}{\company None}}"
        r"{\header\pard Version 3, confidential\par}{\footer\pard Page \chpgn\par}"
        r"\pard\s3 Manual\par\pard\s1 Start\par\pard\s2 Inner\par"
        r"\pard{\listtext\pard\plain 1.\tab}\ls1\ilvl0 Switch on\par"
        r"\pard{\listtext\pard\plain a)\tab}\ilvl1\ls1 Wait\par"
        r"\pard{\listtext\pard\plain\f3 \'b7\tab}\ls2 Loose\par"
        r"\pard Shown{\v  hidden}{\strike  struck}{\deleted  gone} text\par"
        r"\sect\pard{\header\pard Version 3, confidential\par} Last\par"
    )
    parsed = read(tmp_path, body)
    assert [(block.kind, block.level, block.text) for block in parsed.blocks] == [
        ("paragraph", 0, "Version 3, confidential"),
        ("heading", 1, "Manual"),
        ("heading", 2, "Start"),
        ("heading", 3, "Inner"),
        ("list_item", 1, "1. Switch on"),
        ("list_item", 2, "a) Wait"),
        ("list_item", 1, "Loose"),
        ("paragraph", 0, "Shown text"),
        ("paragraph", 0, "Last"),
    ]
    assert parsed.title == "The manual"


def test_notes_links_comments_and_raised_digits(tmp_path: Path) -> None:
    body = (
        r"\pard The fee is 250{\super 1} euros{\super\chftn{\footnote\pard\plain{\super\chftn} Since 2024.}},"
        r" 10{\super 6} times, H{\sub 2}O, "
        r'{\field{\*\fldinst{HYPERLINK "https://example.com/fees" \\l "x"}}{\fldrslt{\ul here}}}'
        r"{\*\atnid AL}{\*\atnauthor Ada}\chatn{\*\annotation{\*\atndate 132194672}\pard\plain Check this}.\par"
        r"\pard Next{\shp{\*\shpinst{\sp{\sn name}{\sv value}}{\shptxt\pard In a box\par}}{\shprslt In a box}}\par"
    )
    assert texts(read(tmp_path, body)) == [
        "The fee is 250 euros, 10^6 times, H2O, here (https://example.com/fees).",
        "Since 2024.",
        "Comment by Ada on 2026-01-04: Check this",
        "Next",
        "In a box",
    ]


def test_tables_are_laid_out_by_the_edges_of_their_cells(tmp_path: Path) -> None:
    body = (
        row(["Pump", "Flow", "Pressure"], ["1000", "2000", "3000"], r"\trhdr")
        + row(["P1", "12", "3"], ["clvmgf", "1000", "2000", "3000"])
        + row(["", "14"], ["clvmrg", "1000", "3000"])
        + row(["15", "6"], ["2000", "3000"], r"\trleft1000")
        + r"\pard\par"
        + row(["A", "B"], ["1000", "2000"])
        + row(["1", "2"], ["1000", "2000"])
        + r"\pard After\par"
    )
    assert texts(read(tmp_path, body)) == [
        "Pump | Flow | Pressure (3 rows)",
        "Pump: P1; Flow: 12; Pressure: 3",
        "Pump: P1; Flow, Pressure: 14",
        "Flow: 15; Pressure: 6",
        "A | B",
        "A: 1; B: 2",
        "After",
    ]


def test_a_table_in_a_cell_is_part_of_its_text(tmp_path: Path) -> None:
    inner = (
        r"\pard\intbl\itap2 x\nestcell y\nestcell{\*\nesttableprops\trowd\cellx100\cellx200\nestrow}{\nonesttables\par}"
    )
    body = (
        row(["Name", "Parts"], ["1000", "2000"])
        + rf"\trowd\cellx1000\cellx2000\pard\intbl\itap1 Box\cell {inner}\pard\intbl\itap1 end\cell\row\pard\par"
    )
    assert texts(read(tmp_path, body)) == ["Name | Parts", "Name: Box; Parts: end x y"]


def test_pictures_objects_and_unknown_groups_are_left_out(tmp_path: Path) -> None:
    body = (
        r"\pard a{\*\shppict{\pict\pngblip 89504e470d0a}}{\nonshppict{\pict 00ff}}{\*\unknown{x}y}"
        r"{\object\objemb{\*\objclass Excel.Sheet.8}{\*\objdata 0105000002000000}{\result{\pict 00}}}"
        "{\\pict\\bin5 }}}}} 00}b\\par"
    )
    assert texts(read(tmp_path, body)) == ["ab"]


def test_a_formula_is_read_on_one_line(tmp_path: Path) -> None:
    body = (
        r"\pard {\mmath{\*\moMathPara{\*\moMath{\mf{\*\mfPr}{\mnum{\mr a}}{\mden{\mr b}}}{\mr =}{\msSup{\me{\mr c}}"
        r"{\msup{\mr 2}}}}}{\mmathPict{\pict 00}}}\par"
    )
    assert texts(read(tmp_path, body)) == ["(a)/(b)=c^2"]


def test_hostile_and_damaged_files_end_well(tmp_path: Path) -> None:
    for body, code in (("{" * 100_000, "file_too_complex"), (r"\pard\par", "no_text"), (r"{\*\x" * 500, "no_text")):
        with pytest.raises(ParseError) as caught:
            read(tmp_path, body)
        assert caught.value.code == code
    assert texts(read(tmp_path, "}}}} still read {")) == ["still read"]
    assert texts(read(tmp_path, r"\pard cut off\u")) == ["cut off"]
    assert texts(read(tmp_path, r"\pard text\par{\pict\bin999999999 x")) == ["text"]
    assert texts(read(tmp_path, r"\pard a\cell b\row\nestrow\nestcell\row c\par"))
