"""The program that recognises text: turned, odd and hostile pictures; the layout of what it found."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from app.library.ocr.reading_process import pages_recognise
from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.detect import detect_media_type
from app.library.parsers.legibility import is_nonsense
from app.library.parsers.limits import DEFAULT
from app.library.parsers.pdf import parse as pdf_parse
from app.library.parsers.pdf_lines import Line
from app.library.parsers.scan_lines import RecognisedPage
from app.library.parsers.scans import Scans, picture_parse
from app.library.tests.pdfs import made, write
from app.library.tests.scans import LETTER, data, page


def recognised(tmp_path: Path, content: bytes) -> Parsed:
    path = tmp_path / "scan"
    path.write_bytes(content)
    media_type = detect_media_type(path, path.name)
    scans = {each["page"]: RecognisedPage.from_message(each) for each in pages_recognise(path, media_type)}
    return picture_parse(scans, media_type, DEFAULT)


def text_of(parsed: Parsed) -> str:
    return " ".join(block.text for block in parsed.blocks)


def test_turned_odd_and_animated_pictures_are_read(tmp_path: Path) -> None:
    camera = Image.Exif()
    camera[0x0112] = 6
    sideways = page().transpose(Image.Transpose.ROTATE_90)
    clear = page().convert("RGBA")
    clear.putalpha(ImageOps.invert(page().convert("L")))
    frames = [page(("A later image of the animation.",))]
    cases = {
        "upside down": data(page().rotate(180)),
        "sideways": data(sideways),
        "camera": data(sideways, "JPEG", exif=camera),
        "print colours": data(page().convert("CMYK"), "JPEG"),
        "clear": data(clear),
        "animation": data(page(), "GIF", save_all=True, append_images=frames),
        "fax": data(page().convert("1"), "TIFF", compression="group4"),
        "16 bits": data(page().convert("I;16"), "TIFF"),
        "webp": data(page(), "WEBP"),
        "tilted": data(page().rotate(3, fillcolor="white", expand=True)),
    }
    wrong = {
        name: text
        for name, content in cases.items()
        if (text := text_of(recognised(tmp_path, content))) != " ".join(LETTER)
    }
    assert wrong == {}


def png(width: int, height: int) -> bytes:
    """Return a picture that states a size and holds nothing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress(b"\0" * (width + 1) * 100, 9)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_hostile_and_blank_pictures_end_with_a_reason(tmp_path: Path) -> None:
    cases = {
        "file_too_complex": png(30_000, 30_000),
        "broken_file": data(page())[:200],
        "no_text": data(Image.new("RGB", (400, 300), "white")),
    }
    found = {}
    for code, content in cases.items():
        with pytest.raises(ParseError) as caught:
            recognised(tmp_path, content)
        found[code] = caught.value.code
    assert found == {code: code for code in cases}


def scan(*pieces: tuple[str, int, int, int], height: int = 30) -> Scans:
    """Return a scanned page with pieces of text: (text, left, top, right)."""
    corners = [
        (text, 0.7, left, top, right, top, right, top + height, left, top + height) for text, left, top, right in pieces
    ]
    return {1: RecognisedPage(1, 1400, 2000, 0, corners)}


def test_columns_are_read_one_after_the_other_and_rows_become_tables() -> None:
    columns = [(f"left words of line {n}", 100, 300 + 40 * n, 600) for n in range(6)]
    columns += [(f"right words of line {n}", 700, 310 + 40 * n, 1300) for n in range(6)]
    text = text_of(picture_parse(scan(*columns), "image/png", DEFAULT))
    assert text.index("left words of line 5") < text.index("right words of line 0")
    rows = [
        (cell, left, 300 + 60 * n, left + 150)
        for n, row in enumerate(("Part Price", "E-1 40", "E-2 50"))
        for cell, left in zip(row.split(), (100, 700), strict=True)
    ]
    parsed = picture_parse(scan(*rows), "image/png", DEFAULT)
    assert [block.text for block in parsed.blocks][1:] == ["Part: E-1; Price: 40", "Part: E-2; Price: 50"]
    assert parsed.warnings == ("pages_recognised:1", "pages_uncertain:1")


def test_a_text_layer_of_nonsense_is_named_and_real_texts_are_not(tmp_path: Path) -> None:
    english = "The company grants to the tenant the right to use the rooms of the first floor for the storage of goods."
    german = "Die Pumpe wird nur bei geschlossenem Ventil eingeschaltet; der Betreiber haftet für Schäden daran selbst."
    polish = (
        "Umowa zostaje zawarta na czas nieokreślony i może być wypowiedziana przez każdą ze stron w terminie miesiąca."
    )
    shifted = "".join(chr(ord(char) - 29) if char.isalpha() else char for char in english)
    exchanged = english.lower().translate(str.maketrans("etaoinshrdlucmfwypvbgk", "xqzjvkbwpygfmcuhnlrdst"))
    private = "".join(chr(0xE000 + ord(char)) for char in english)
    cases = {english: False, german: False, polish: False, shifted: True, exchanged: True, private: True}
    judged = {text: is_nonsense([Line(text, 0, 0, 1, 1, 1, bold=False)]) for text in cases}
    assert judged == cases
    path = made(tmp_path / "a.pdf", lambda canvas: write(canvas, 72, 100, [exchanged[:60], exchanged[60:]]))
    assert pdf_parse(path, DEFAULT).warnings == ("text_layer_unreadable:1",)
