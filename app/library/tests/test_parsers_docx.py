import zipfile
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, full_text
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import DOCX

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def read(path: Path, limits: Limits = DEFAULT) -> Parsed:
    return parse(path, DOCX, limits)


def saved(document: Document, folder: Path) -> Parsed:
    path = folder / "a.docx"
    document.save(str(path))
    return read(path)


def with_body(folder: Path, body: str, before: str = "") -> Path:
    path = folder / "a.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", f'{before}<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>')
    return path


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_headings_lists_and_tables_are_read_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Handbook", 0)
    document.add_heading("Leave", 1)
    document.add_paragraph("You have 30 days.")
    document.add_paragraph("Ask early", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip((*table.rows[0].cells, *table.rows[1].cells), ("Role", "Days", "Cook", "31"), strict=True):
        cell.text = text
    document.add_heading("Sick", 1)
    document.add_paragraph("Call us.")
    document.sections[0].header.paragraphs[0].text = "CONFIDENTIAL"
    parsed = saved(document, tmp_path)
    assert [(block.kind, block.text, block.heading) for block in parsed.blocks] == [
        ("paragraph", "CONFIDENTIAL", ()),
        ("heading", "Handbook", ("Handbook",)),
        ("heading", "Leave", ("Handbook", "Leave")),
        ("paragraph", "You have 30 days.", ("Handbook", "Leave")),
        ("list_item", "Ask early", ("Handbook", "Leave")),
        ("table_row", "Role | Days", ("Handbook", "Leave")),
        ("table_row", "Role: Cook; Days: 31", ("Handbook", "Leave")),
        ("heading", "Sick", ("Handbook", "Sick")),
        ("paragraph", "Call us.", ("Handbook", "Sick")),
    ]
    assert parsed.title == "Handbook"


def test_a_merged_cell_is_read_once(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c{number}x" if number > 2 else ("Name", "Size", "Note")[number]
    table.cell(1, 0).merge(table.cell(2, 0)).text = "both"
    table.cell(1, 1).merge(table.cell(1, 2)).text = "wide"
    text = full_text(saved(document, tmp_path).blocks)
    assert text == "Name | Size | Note (2 rows)\nName: both; Size, Note: wide\nName: both; Size: c7x; Note: c8x"


def test_deleted_and_hidden_text_is_left_out_and_inserted_text_kept(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>Kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>new </w:t></w:r></w:ins><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
        "<w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink></w:p>"
    )
    assert full_text(read(with_body(tmp_path, body)).blocks) == "Kept new link"


def test_text_boxes_are_read_once(tmp_path: Path) -> None:
    document = docx.Document()
    run = document.add_paragraph("Before").add_run()
    box = OxmlElement("w:txbxContent")
    inner = OxmlElement("w:p")
    piece = OxmlElement("w:r")
    text = OxmlElement("w:t")
    text.text = "In the box"
    piece.append(text)
    inner.append(piece)
    box.append(inner)
    run._r.append(box)
    assert run._r.find(qn("w:txbxContent")) is not None
    assert full_text(saved(document, tmp_path).blocks) == "Before\n\nIn the box"


def test_entities_are_never_expanded_and_outside_files_never_read(tmp_path: Path) -> None:
    laughs = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    for kind, declared, used in (
        ("bomb", laughs, "&a9;"),
        ("file", f'<!ENTITY x SYSTEM "file://{secret}">', "&x;"),
        ("late bomb", laughs, "&a9;"),
    ):
        padding = f"<!-- {'x' * 6_000} -->" if kind == "late bomb" else ""
        with pytest.raises(ParseError) as caught:
            read(with_body(tmp_path, paragraph(used), f"<?xml version='1.0'?>{padding}<!DOCTYPE w [{declared}]>"))
        assert caught.value.code == "file_too_complex", kind


def test_a_part_that_expands_beyond_the_limit_is_not_expanded(tmp_path: Path) -> None:
    path = with_body(tmp_path, paragraph("a" * 1000) * 4_000)
    assert path.stat().st_size < 50_000
    with pytest.raises(ParseError) as caught:
        read(path)
    assert caught.value.code == "file_too_complex"


def test_many_parts_together_may_not_expand_beyond_the_limit(tmp_path: Path) -> None:
    path = with_body(tmp_path, "".join(paragraph(f"{number} words") for number in range(2_000)))
    with pytest.raises(ParseError) as caught:
        read(path, Limits(expanded_bytes=50_000))
    assert caught.value.code == "file_too_complex"


def test_xml_nested_five_thousand_deep_is_refused(tmp_path: Path) -> None:
    deep = "<w:sdt><w:sdtContent>" * 2_500 + paragraph("x") + "</w:sdtContent></w:sdt>" * 2_500
    with pytest.raises(ParseError) as caught:
        read(with_body(tmp_path, deep))
    assert caught.value.code == "file_too_complex"


@pytest.mark.parametrize(
    ("body", "code"), [("<w:p>", "broken_file"), ("<w:p/>", "no_text"), (paragraph("a &nonsense; b"), "broken_file")]
)
def test_damage_and_emptiness_are_named(tmp_path: Path, body: str, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(with_body(tmp_path, body))
    assert caught.value.code in (code, "file_too_complex") if "nonsense" in body else caught.value.code == code


def test_a_file_cut_in_the_middle_is_broken(tmp_path: Path) -> None:
    path = with_body(tmp_path, paragraph("text"))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ParseError) as caught:
        read(path)
    assert caught.value.code == "broken_file"


def test_pictures_give_the_words_of_people_only(tmp_path: Path) -> None:
    names = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
    pictures = "".join(
        f'<w:p><w:r><x:inline xmlns:x="{names}"><x:docPr descr="{words}"/></x:inline></w:r></w:p>'
        for words in ("A map of the site", "image1.png", "A dog Description automatically generated", "")
    )
    texts = [block.text for block in read(with_body(tmp_path, pictures)).blocks]
    assert texts == ["Picture: A map of the site", "Picture: A dog"]


def test_formulas_beside_each_other_are_apart_and_have_their_limits(tmp_path: Path) -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"

    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    limit = f"<m:limLow><m:e>{run('lim')}</m:e><m:lim>{run('n→∞')}</m:lim></m:limLow>"
    power = f"<m:sSup><m:e>{run('x')}</m:e><m:sup>{run('k')}</m:sup></m:sSup>"
    over = f'<m:f><m:fPr><m:type m:val="noBar"/></m:fPr><m:num>{run("n")}</m:num><m:den>{run("k")}</m:den></m:f>'
    body = (
        f'<w:p xmlns:m="{math}"><m:oMath>{run("a=b")}</m:oMath><m:oMath>{run("c=d")}</m:oMath></w:p>'
        f'<w:p xmlns:m="{math}"><m:oMath><m:func><m:fName>{limit}</m:fName><m:e>{power}{run("y")}</m:e></m:func>{over}'
        "</m:oMath></w:p>"
    )
    assert full_text(read(with_body(tmp_path, body)).blocks) == "a=b c=d\n\nlim_(n→∞) x^k y n over k"
