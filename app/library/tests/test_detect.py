import zipfile
from pathlib import Path

import pytest

from app.library.parsers.blocks import ParseError
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import CSV, DOCX, HTML, MARKDOWN, PDF, TEXT

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def detected(folder: Path, name: str, data: bytes) -> str:
    path = folder / "stored-under-another-name"
    path.write_bytes(data)
    return detect_media_type(path, name)


def zipped(folder: Path, **parts: str) -> bytes:
    path = folder / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name.replace("__", "/"), text)
    return path.read_bytes()


KNOWN = [
    ("a.txt", b"%PDF-1.7\n...", PDF),
    ("a.pdf", b"\n\njunk before it %PDF-1.4", PDF),
    ("a.pdf", b"Only text in here", TEXT),
    ("a.txt", b"<!DOCTYPE html><p>Hello", HTML),
    ("a.csv", b"<!-- made by hand -->\n<html><body>Hello", HTML),
    ("a.html", b"<p>Hello", HTML),
    ("a.html", b"Hello, no tags at all", TEXT),
    ("a.md", b"<div align=center>Logo</div>\n# Title", MARKDOWN),
    ("A.MD", b"# Title", MARKDOWN),
    ("a.csv", b"a,b\n1,2", CSV),
    ("a.tsv", b"a\tb\n1\t2", CSV),
    ("README", b"a,b\n1,2", TEXT),
    ("a.txt", "Grüße".encode("utf-16"), TEXT),
    ("a.txt", "Grüße an alle".encode("utf-16-le"), TEXT),
    ("a.csv", "größe;preis\n1;2".encode("latin-1"), CSV),
    ("a.txt", b"MZ is the start of this sentence.", TEXT),
]


def test_content_decides_and_the_name_only_chooses_among_texts(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, data, expected in KNOWN:
        with subtests.test(name=name, data=data):
            assert detected(tmp_path, name, data) == expected


REFUSED = [
    ("a.txt", b"", "empty_file", "0 bytes"),
    ("a.txt", b" \r\n\t", "empty_file", "white space"),
    ("a.txt", b"\xef\xbb\xbf\n", "empty_file", "white space"),
    ("a.pdf", PNG, "unsupported_type", "PNG"),
    ("a.txt", b"MZ\x90\x00\x03\x00", "unsupported_type", "Windows program"),
    ("a.txt", b"\x7fELF\x02\x01\x01\x00", "unsupported_type", "Linux program"),
    ("a.doc", bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 600, "unsupported_type", "old Office"),
    ("a.txt", b"abc\x00\x01\x02def", "unsupported_type", "binary"),
    ("a.txt", b"{\\rtf1 hello}", "unsupported_type", "RTF"),
    ("a.docx", b"PK\x03\x04 and then nothing", "broken_file", "zip"),
]


def test_what_cannot_be_read_is_named(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, data, code, seen in REFUSED:
        with subtests.test(name=name, data=data):
            with pytest.raises(ParseError) as caught:
                detected(tmp_path, name, data)
            assert caught.value.code == code
            assert seen in caught.value.detail


def test_a_word_file_is_known_by_its_parts_and_not_by_its_name(tmp_path: Path) -> None:
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    data = zipped(tmp_path, **{"[Content_Types].xml": types, "word__document.xml": "<w/>"})
    assert detected(tmp_path, "a.zip", data) == DOCX


@pytest.mark.parametrize(
    ("parts", "seen"),
    [
        ({"[Content_Types].xml": "spreadsheetml.sheet.main"}, "Excel"),
        ({"[Content_Types].xml": "presentationml.presentation.main"}, "PowerPoint"),
        ({"content.xml": "x"}, "OpenDocument"),
        ({"a.txt": "x"}, "zip archive"),
    ],
)
def test_other_zip_files_are_refused_by_what_they_are(tmp_path: Path, parts: dict[str, str], seen: str) -> None:
    with pytest.raises(ParseError) as caught:
        detected(tmp_path, "a.docx", zipped(tmp_path, **parts))
    assert caught.value.code == "unsupported_type"
    assert seen in caught.value.detail


def test_a_word_file_with_a_password_is_told_as_such(tmp_path: Path) -> None:
    data = bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 512 + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(ParseError) as caught:
        detected(tmp_path, "a.docx", data)
    assert caught.value.code == "encrypted_file"
