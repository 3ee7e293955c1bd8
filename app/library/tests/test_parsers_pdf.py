from itertools import pairwise
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json, full_text
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import PDF
from app.library.parsers.pdf_arabic import ligatures
from app.library.pipeline.chunking import chunk
from app.library.pipeline.tokens import minilm_counter
from app.library.places import place_label
from app.library.tests.pdfs import HEIGHT, WIDTH, made, raw, stream, write

PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
CONTENT = stream(b"BT /F1 12 Tf 20 200 Td (Hello world) Tj ET")
CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"

WORDS = ["none", "one", "two", "three", "four", "five"]
LOREM = [
    "The quick brown fox jumps over the lazy dog and runs away from",
    "the hunters, who are too slow for it and give up in the evening",
    "when the sun is down.",
]


def read(path: Path, limits: Limits = DEFAULT) -> Parsed:
    return parse(path, PDF, limits)


def test_lines_become_paragraphs_with_a_box_for_each_line(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        write(canvas, 72, 100, LOREM)
        write(canvas, 72, 200, ["Another paragraph stands below."])

    parsed = read(made(tmp_path / "a.pdf", page))
    first, second = parsed.blocks
    assert first.text == " ".join(LOREM)
    assert second.text == "Another paragraph stands below."
    assert (first.page, len(first.boxes), parsed.pages) == (1, 3, 1)
    assert [first.text[start:].split()[0] for start in first.line_starts] == ["The", "the", "when"]
    x0, y0, _, y1 = second.boxes[0]
    assert x0 == pytest.approx(72 / WIDTH, abs=0.01)
    assert y0 < 200 / HEIGHT < y1


def test_headings_are_told_by_size_and_weight(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        write(canvas, 72, 80, ["Travel policy"], size=22, font="Helvetica-Bold")
        write(canvas, 72, 130, ["Hotels"], size=15, font="Helvetica-Bold")
        write(canvas, 72, 160, LOREM)
        write(canvas, 72, 240, ["Breakfast"], font="Helvetica-Bold")
        write(canvas, 72, 260, LOREM)

    parsed = read(made(tmp_path / "a.pdf", page))
    assert [(block.text, block.level) for block in parsed.blocks if block.kind == "heading"] == [
        ("Travel policy", 1),
        ("Hotels", 2),
        ("Breakfast", 3),
    ]
    assert parsed.blocks[-1].heading == ("Travel policy", "Hotels", "Breakfast")


def test_bookmarks_name_the_headings(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        for number, top in enumerate((80, 200, 320), 1):
            canvas.bookmarkPage(f"k{number}")
            canvas.addOutlineEntry(f"{number}. Step", f"k{number}", level=0)
            write(canvas, 72, top, [f"{number}. Step"])
            write(canvas, 72, top + 30, LOREM)

    headings = [block.text for block in read(made(tmp_path / "a.pdf", page)).blocks if block.kind == "heading"]
    assert headings == ["1. Step", "2. Step", "3. Step"]


def test_what_stands_on_every_page_is_read_once(tmp_path: Path) -> None:
    def page(number: int) -> object:
        def draw(canvas: Canvas) -> None:
            write(canvas, 72, 30, ["ACME Handbook, edition 7"])
            write(canvas, 72, 120, [f"Text of {WORDS[number]}, page by page."])
            write(canvas, 72, 300, LOREM)
            write(canvas, 280, 810, [f"Page {number} of 5"])

        return draw

    text = full_text(read(made(tmp_path / "a.pdf", *(page(number) for number in range(1, 6)))).blocks)  # type: ignore[arg-type]
    assert text.count("edition 7") == 1
    assert "of 5" not in text
    assert all(f"Text of {word}, page by page." in text for word in WORDS[1:])


@pytest.mark.parametrize("in_turns", [False, True])
def test_two_columns_are_read_one_after_the_other(tmp_path: Path, in_turns: bool) -> None:
    left = [f"Left column line number {n} of many" for n in range(20)]
    right = [f"Right column line number {n} of many" for n in range(20)]

    def page(canvas: Canvas) -> None:
        write(canvas, 72, 60, ["A title that stands over both of the columns of this page here, all across it"])
        if in_turns:
            for number in range(20):
                write(canvas, 72, 100 + number * 15, [left[number]])
                write(canvas, 320, 100 + number * 15, [right[number]])
        else:
            write(canvas, 72, 100, left)
            write(canvas, 320, 100, right)

    text = full_text(read(made(tmp_path / "a.pdf", page)).blocks)
    places = [text.index(line) for line in (*left, *right)]
    assert all(before < after for before, after in pairwise(places))


def test_a_word_broken_at_the_end_of_a_line_is_whole_again(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        write(
            canvas, 72, 100, ["The machine must be main-", "tained by trained staff only, with well-", "known tools."]
        )
        write(canvas, 72, 300, ["Well known is that it is well kept when known."])

    text = full_text(read(made(tmp_path / "a.pdf", page)).blocks)
    assert "must be maintained by" in text
    assert "well-known tools" in text


def test_rows_of_a_table_stand_alone_with_their_cells_apart(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        for number, row in enumerate([("Chair", "12", "$ 40"), ("Table", "3", "$ 120")]):
            for column, cell in enumerate(row):
                write(canvas, 72 + 150 * column, 100 + 16 * number, [cell])

    assert [(block.kind, block.text) for block in read(made(tmp_path / "a.pdf", page)).blocks] == [
        ("table_row", "Chair | 12 | $ 40"),
        ("table_row", "Table | 3 | $ 120"),
    ]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_boxes_are_of_the_page_as_it_is_shown(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "a.pdf"
    content = stream(b"BT /F1 12 Tf 60 700 Td (Here it is) Tj ET")
    page = PAGE.replace(b"[0 0 300 300]", b"[0 0 600 800] /CropBox [0 100 600 800] /Rotate %d" % turn)
    path.write_bytes(raw(CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, content, FONT))
    (x0, y0, x1, y1) = read(path).blocks[0].boxes[0]
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    across, down = 86 / 600, 97 / 700
    expected = {0: (across, down), 90: (1 - down, across), 180: (1 - across, 1 - down), 270: (down, 1 - across)}
    assert middle == pytest.approx(expected[turn], abs=0.01)


@pytest.mark.parametrize(
    ("name", "code"),
    [("password", "encrypted_file"), ("blank", "no_text"), ("junk", "broken_file"), ("cut", "broken_file")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, code: str) -> None:
    path = tmp_path / "a.pdf"
    if name == "password":
        made(path, lambda canvas: write(canvas, 72, 100, LOREM), password="secret")
    elif name == "blank":
        made(path, lambda canvas: None)
    elif name == "junk":
        path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40)
    else:
        made(path, lambda canvas: write(canvas, 72, 100, LOREM))
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ParseError) as caught:
        read(path)
    assert caught.value.code == code


def test_a_password_that_only_forbids_printing_does_not_hinder(tmp_path: Path) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), encrypt=StandardEncryption("", ownerPassword="owner", canPrint=0))
    write(canvas, 72, 100, LOREM)
    canvas.save()
    assert "quick brown fox" in full_text(read(path).blocks)


def test_pages_of_pictures_among_pages_of_text_are_told(tmp_path: Path) -> None:
    def text(canvas: Canvas) -> None:
        write(canvas, 72, 100, LOREM)

    def picture(canvas: Canvas) -> None:
        canvas.rect(10, 10, 100, 100, fill=1)

    parsed = read(made(tmp_path / "a.pdf", text, picture, picture, text, picture))
    assert parsed.warnings == ("pages_without_text:2-3,5",)


def test_a_table_of_places_that_points_at_itself_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(
        raw(CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", PAGE, CONTENT, FONT, trailer=b"/Prev @X")
    )
    assert full_text(read(path).blocks) == "Hello world"


@pytest.mark.parametrize("kids", [b"2 0 R 2 0 R", b"3 0 R " * 50_000])
def test_fifty_thousand_pages_are_refused_by_name(tmp_path: Path, kids: bytes) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(raw(CATALOGUE, b"<< /Type /Pages /Kids [%s] /Count 50000 >>" % kids, PAGE, CONTENT, FONT))
    with pytest.raises(ParseError) as caught:
        read(path)
    assert caught.value.code == "file_too_complex"


def test_a_tree_of_pages_fifty_thousand_deep_is_survived(tmp_path: Path) -> None:
    deep = 50_000
    nodes = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 1) for number in range(2, deep)]
    path = tmp_path / "a.pdf"
    path.write_bytes(raw(CATALOGUE, *nodes, b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 9 9] >>" % (deep - 1)))
    with pytest.raises(ParseError) as caught:
        read(path)
    assert caught.value.code in ("no_text", "broken_file")


def test_the_two_letters_of_a_ligature_keep_their_order() -> None:
    # One glyph has one box; the letters of the article al- have one each.
    boxes = {0: (50.0, 0.0, 60.0, 9.0), 1: (50.0, 0.0, 60.0, 9.0), 3: (30.0, 0.0, 34.0, 9.0), 4: (24.0, 0.0, 30.0, 9.0)}
    assert list(ligatures("\u0623\u0644 \u0627\u0644", boxes.get)) == [(0, 2, "\u0644\u0623")]


def test_the_number_printed_on_a_page_is_known_beside_its_own(tmp_path: Path) -> None:
    labels = b"/PageLabels << /Nums [0 << /S /r /St 4 >> 1 << /S /D /St 2 >>] >>"
    pages = b"<< /Type /Pages /Kids [3 0 R 6 0 R] /Count 2 >>"
    data = raw(CATALOGUE.replace(b">>", labels + b">>"), pages, PAGE, CONTENT, FONT, PAGE)
    (tmp_path / "a.pdf").write_bytes(data)
    parsed = read(tmp_path / "a.pdf")
    assert parsed.page_labels == ("iv", "2")
    drafts = chunk(parsed, max_tokens=254, count=minilm_counter())
    assert [(draft.place.page, draft.place.page_label) for draft in drafts] == [(1, "iv"), (2, None)]
    assert place_label(drafts[0].place.to_json()) == "page 1 (printed iv)"
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
