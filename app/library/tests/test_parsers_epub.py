import zipfile
from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import EPUB

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc">'
    '<ol><li><a href="text/two.xhtml">The second part</a></li><li><a href="text/three.xhtml#later">Later</a></li></ol>'
    "</nav></body></html>"
)


def page(body: str, head: str = "<title>x</title>") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head>{head}</head><body>{body}</body></html>'
    )


def book(folder: Path, chapters: dict[str, str], **parts: str) -> Path:
    """Make a book whose chapters stand in the order of the dictionary, stored in another one."""
    items = "".join(
        f'<item id="c{number}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(sorted(chapters))
    )
    order = "".join(f'<itemref idref="c{sorted(chapters).index(name)}"/>' for name in chapters)
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:title>A book</dc:title></metadata><manifest><item id="n" href="nav.xhtml" properties="nav" '
        f'media-type="application/xhtml+xml"/>{items}</manifest><spine><itemref idref="n"/>{order}</spine></package>'
    )
    path = folder / "a.epub"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        for name, text in {
            "META-INF/container.xml": CONTAINER,
            "OEBPS/book.opf": parts.get("opf", opf),
            "OEBPS/nav.xhtml": parts.get("nav", NAV),
            **({"META-INF/encryption.xml": parts["encryption"]} if "encryption" in parts else {}),
            **{f"OEBPS/text/{name}.xhtml": text for name, text in chapters.items()},
        }.items():
            archive.writestr(name, text)
    return path


def read(path: Path) -> Parsed:
    assert detect_media_type(path, path.name) == EPUB
    parsed = parse(path, EPUB)
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def test_chapters_come_in_the_book_s_order_under_their_titles(tmp_path: Path) -> None:
    chapters = {
        "one": page("<h1>Beginning</h1><p>First.</p><h2>Inner</h2><p>Deep.</p>"),
        "two": page("<p>Without a heading.</p>"),
        "three": page("<p>Still the second part.</p><h1 id='later'>Later</h1><p>End.</p>"),
    }
    parsed = read(book(tmp_path, chapters))
    assert [(block.heading, block.text) for block in parsed.blocks if block.kind != "heading"] == [
        (("Beginning",), "First."),
        (("Beginning", "Inner"), "Deep."),
        (("The second part",), "Without a heading."),
        # The contents name a place further down; until there the chapter before goes on.
        (("The second part",), "Still the second part."),
        (("Later",), "End."),
    ]
    assert parsed.title == "A book"


def test_elements_that_xml_closes_at_once_do_not_swallow_the_chapter(tmp_path: Path) -> None:
    chapter = page(
        '<a id="p1"/><p>Shown<a id="p2"/> text</p><div class="x"/><p>More.</p>', head='<title/><script src="a.js"/>'
    )
    assert [block.text for block in read(book(tmp_path, {"one": chapter})).blocks] == ["Shown text", "More."]


def test_notes_are_read_and_their_marks_leave_numbers_alone(tmp_path: Path) -> None:
    chapter = page(
        '<p>The fee is 250<a epub:type="noteref" href="#n1"><sup>1</sup></a> euros.</p>'
        '<div epub:type="footnote" id="n1" hidden="hidden"><p>Since 2024.</p></div><div hidden="hidden">Not shown</div>'
    )
    texts = [block.text for block in read(book(tmp_path, {"one": chapter})).blocks]
    assert texts == ["The fee is 250 euros.", "Since 2024."]


def test_hostile_and_protected_books_end_with_a_reason(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    one = page("<p>Text</p>")
    locked = '<encryption><x URI="OEBPS/text/one.xhtml"/></encryption>'
    outside = f'<!DOCTYPE package [<!ENTITY x SYSTEM "file://{secret}">]><package>&x;</package>'
    climbing = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="../../../secret" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    cases = {
        "protected": (book, {"encryption": locked}, "encrypted_file"),
        "outside": (book, {"opf": outside}, "file_too_complex"),
        "climbing": (book, {"opf": climbing}, "no_text"),
        "no list": (book, {"opf": ""}, "broken_file"),
    }
    for name, (make, parts, code) in cases.items():
        with pytest.raises(ParseError) as caught:
            read(make(tmp_path, {"one": one}, **parts))
        assert caught.value.code == code, name
    with pytest.raises(ParseError) as caught:
        read(book(tmp_path, {"one": page("<p>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</p>" * 60_000)}))
    assert caught.value.code == "file_too_complex"


def test_fonts_that_are_encrypted_do_not_lock_a_book(tmp_path: Path) -> None:
    fonts = '<encryption><x URI="OEBPS/fonts/a.otf"/></encryption>'
    assert read(book(tmp_path, {"one": page("<p>Text</p>")}, encryption=fonts)).blocks[0].text == "Text"
