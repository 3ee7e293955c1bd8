"""Plain text, CSV, HTML and Markdown."""

from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json, full_text
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import CSV, HTML, MARKDOWN, TEXT


def read(folder: Path, media_type: str, data: str | bytes, limits: Limits = DEFAULT) -> Parsed:
    path = folder / "file"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return parse(path, media_type, limits)


def texts(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parsed.blocks]


ENCODINGS = [
    ("Größe und Preis der Möbel, überall gültig.", "latin-1"),
    ("id;größe\n1;5 m²\n", "latin-1"),
    ("Señor Muñoz pagó 20 € el año pasado.", "cp1252"),
    ("Быстрая коричневая лиса прыгает через ленивую собаку. Она делает это каждый день.", "cp1251"),
    ("Быстрая коричневая лиса прыгает через ленивую собаку. Она делает это каждый день.", "koi8-r"),
    ("日本語の文章です。文字コードの判定を試します。これは長い文章です。", "cp932"),
    ("日本語の文章です。文字コードの判定を試します。", "iso2022_jp"),
    ("Zażółć gęślą jaźń, proszę państwa. Łódź leży w Polsce, a Kraków też.", "cp1250"),
    ("Emoji 🎉 and ünïcode", "utf-8"),
    ("Emoji 🎉 and ünïcode", "utf-16"),
    ("Emoji 🎉 and ünïcode", "utf-32-be"),
]


def test_text_in_any_usual_encoding_is_read(subtests: pytest.Subtests) -> None:
    for text, encoding in ENCODINGS:
        with subtests.test(text=text, encoding=encoding):
            assert decode(text.encode(encoding)).lstrip("\ufeff") == text


def test_characters_that_no_text_may_hold_are_removed() -> None:
    assert clean("a\x00b\u202ec\ud800d\u200be\r\nf\xadg") == "abcde\nfg"


def test_wrapped_lines_are_joined_and_headings_and_items_seen(tmp_path: Path) -> None:
    line = "This is a line of a paragraph that was wrapped at some seventy"
    parsed = read(
        tmp_path, TEXT, f"CHAPTER ONE\n\n{line}\n{line}\nend.\n\n- first\n- second\n  goes on\n\nRoses\nare red\n"
    )
    assert texts(parsed) == [
        ("heading", "CHAPTER ONE"),
        ("paragraph", f"{line} {line} end."),
        ("list_item", "- first"),
        ("list_item", "- second goes on"),
        ("paragraph", "Roses\nare red"),
    ]
    assert parsed.blocks[1].heading == ("CHAPTER ONE",)


def test_rows_of_a_csv_carry_the_names_of_their_columns_and_the_numbers_a_spreadsheet_shows(tmp_path: Path) -> None:
    parsed = read(tmp_path, CSV, 'Article;Price\n"Chair; red";"1,50"\n\nTable;20\n'.encode("latin-1"))
    assert texts(parsed) == [
        ("table_row", "Article | Price (2 rows)"),
        ("table_row", "Article: Chair; red; Price: 1,50"),
        ("table_row", "Article: Table; Price: 20"),
    ]
    assert [block.rows for block in parsed.blocks] == [(1, 1), (2, 2), (4, 4)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "age", "note"], ["Ann", "31", "likes tea"], ["Bob", "25", "no"]]
    parsed = read(tmp_path, CSV, "\n".join(delimiter.join(row) for row in rows))
    assert parsed.blocks[1].text == "name: Ann; age: 31; note: likes tea"


def test_a_table_without_a_header_gets_none(tmp_path: Path) -> None:
    assert texts(read(tmp_path, CSV, "1,2\n3,4\n")) == [("table_row", "1 | 2"), ("table_row", "3 | 4")]


def test_a_row_of_a_hundred_columns_is_told_in_parts_that_begin_alike(tmp_path: Path) -> None:
    header = ",".join(f"a rather long name {n}" for n in range(100))
    parsed = read(tmp_path, CSV, f"{header}\n" + ",".join(f"v{n}" for n in range(100)) + "\n")
    assert len(parsed.blocks) > 2
    assert [block.rows for block in parsed.blocks].count((1, 1)) == 1
    assert {block.rows for block in parsed.blocks[1:]} == {(2, 2)}
    assert all(block.text.startswith("a rather long name 0: v0; ") for block in parsed.blocks[1:])
    together = " ".join(block.text for block in parsed.blocks)
    assert all(f"a rather long name {n}: v{n}" in together for n in range(100))


def test_rows_shorter_or_longer_than_the_header_lose_nothing(tmp_path: Path) -> None:
    parsed = read(tmp_path, CSV, "a,b\nx\nx,y,z\n")
    assert [block.text for block in parsed.blocks] == ["a | b (2 rows)", "a: x", "a: x; b: y; z"]


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    parsed = read(tmp_path, CSV, 'name,size\n6" pipe,1\n"5 pipe,2\n' + "pipe,3\n" * 400)
    assert len(parsed.blocks) == 403


PAGE = """<!doctype html><html><head><title>Help &amp; more</title><style>x{}</style></head><body>
<nav><a href=/>Home</a></nav><main><h1>Returns</h1><p>Within <b>30</b> days.<!-- never --></p>
<div hidden>secret</div><div style="display: none">secret</div><p aria-hidden="true">secret</p>
<h2>How</h2><ol><li>Pack it<li>Send it<ul><li>by post</ul></ol><pre>a
  b</pre><table><tr><th>Size</th><th>Price</th></tr><tr><td>S</td><td>1</td></tr></table>
<script>alert(1)</script></main><footer>Imprint</footer></body></html>"""


def test_the_main_part_of_a_page_is_read_under_its_headings(tmp_path: Path) -> None:
    parsed = read(tmp_path, HTML, PAGE)
    assert parsed.title == "Help & more"
    assert texts(parsed) == [
        ("heading", "Returns"),
        ("paragraph", "Within 30 days."),
        ("heading", "How"),
        ("list_item", "1. Pack it"),
        ("list_item", "2. Send it"),
        ("list_item", "by post"),
        ("code", "a\n  b"),
        ("table_row", "Size | Price"),
        ("table_row", "Size: S; Price: 1"),
    ]
    assert parsed.blocks[-1].heading == ("Returns", "How")


def test_a_page_of_nothing_but_a_menu_is_still_read(tmp_path: Path) -> None:
    assert texts(read(tmp_path, HTML, "<nav><p>Only this</p></nav>")) == [("paragraph", "Only this")]


def test_the_charset_a_page_names_is_used(tmp_path: Path) -> None:
    page = '<html><head><meta charset="windows-1253"></head><body><p>Καλημέρα</p></body></html>'
    assert read(tmp_path, HTML, page.encode("cp1253")).blocks[0].text == "Καλημέρα"


def test_cells_over_several_rows_and_columns_stand_under_their_names(tmp_path: Path) -> None:
    table = (
        "<table><thead><tr><th rowspan=2>City<th colspan=2>Sales<tr><th>2022<th>2023</thead>"
        "<tr><td rowspan=2>Bonn<td>1<td>2<tr><td>3<td>4</table>"
    )
    assert [block.text for block in read(tmp_path, HTML, table).blocks] == [
        "City | Sales 2022 | Sales 2023 (2 rows)",
        "City: Bonn; Sales 2022: 1; Sales 2023: 2",
        "City: Bonn; Sales 2022: 3; Sales 2023: 4",
    ]


@pytest.mark.parametrize(
    "page", ["<div>" * 10_000 + "deep", "<b><i><p>" * 5_000 + "deep", "<table><tr><td>" * 2_000 + "deep"]
)
def test_a_page_nested_ten_thousand_deep_is_read(tmp_path: Path, page: str) -> None:
    assert "deep" in full_text(read(tmp_path, HTML, page).blocks)


NOTES = """---
title: The notes
tags: [a]
---
# Notes

Some *words* and `code`, a [link](http://x.example), ![a picture](y.png).

1. one
2. two
   - below

```python
print(1)
```

| Name | Age |
|------|----:|
| Ann  | 31  |

<p>From <b>HTML</b></p>
"""


def test_markdown_is_read_without_its_markup(tmp_path: Path) -> None:
    parsed = read(tmp_path, MARKDOWN, NOTES)
    assert parsed.title == "The notes"
    assert texts(parsed) == [
        ("paragraph", "title: The notes; tags: a"),
        ("heading", "Notes"),
        ("paragraph", "Some words and code, a link (http://x.example), a picture."),
        ("list_item", "1. one"),
        ("list_item", "2. two"),
        ("list_item", "below"),
        ("code", "print(1)"),
        ("table_row", "Name | Age"),
        ("table_row", "Name: Ann; Age: 31"),
        ("paragraph", "From HTML"),
    ]
    assert [block.level for block in parsed.blocks[3:6]] == [1, 1, 2]


def test_a_long_markdown_file_is_the_same_in_parts(tmp_path: Path) -> None:
    part = "## Part\n\n" + "Some words of a paragraph. " * 200 + "\n\n```\n# no heading\n```\n\n"
    parsed = read(tmp_path, MARKDOWN, "# Whole\n\n" + part * 150)
    assert sum(block.kind == "heading" for block in parsed.blocks) == 151
    assert parsed.blocks[-1] == parsed.blocks[3]


def test_more_text_than_the_limit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ParseError) as caught:
        read(tmp_path, TEXT, "many words " * 1000, Limits(text_chars=5_000))
    assert caught.value.code == "file_too_complex"


def test_blocks_survive_their_stored_form(tmp_path: Path) -> None:
    for media_type, data in ((HTML, PAGE), (MARKDOWN, NOTES), (CSV, "a,b\n1x,2\n")):
        parsed = read(tmp_path, media_type, data)
        assert blocks_from_json(blocks_to_json(parsed)) == parsed
