import zipfile
from pathlib import Path

import pytest

from app.library.parsers.blocks import ParseError
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import (
    CSV,
    DOC,
    DOCX,
    EML,
    EPUB,
    FORMATS,
    HTML,
    JSON,
    JSONL,
    MARKDOWN,
    MSG,
    ODP,
    ODS,
    ODT,
    PDF,
    PPT,
    PPTX,
    RTF,
    SRT,
    TEXT,
    VTT,
    XLS,
    XLSX,
    XML,
    ZIP,
    format_by_suffix,
    format_of,
)

OLE = bytes.fromhex("d0cf11e0a1b11ae1")
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
    ("a.txt", b"BM, ID3 and RIFF begin this sentence.", TEXT),
    ("a.txt", b"{\\rtf1 hello}", RTF),
    ("a.json", b'{"a": 1}', JSON),
    ("notes.txt", b'{"a": 1}', TEXT),
    ("a.ndjson", b'{"a": 1}\n{"a": 2}\n', JSONL),
    ("a.xml", b"<catalog><book/></catalog>", XML),
    ("feed", b'<?xml version="1.0"?><rss/>', XML),
    ("page.xml", b'<?xml version="1.0"?><html><body>Hello', HTML),
    ("a.xml", b"Only text in here", TEXT),
    ("a.txt", b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello", SRT),
    ("a.srt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello", VTT),
    ("a.txt", b"WEBVTT is a format for subtitles.", TEXT),
    ("mail", b"Received: by x\nFrom: a@b.example\nTo: c@d.example\nDate: today\n\nHello", EML),
    ("a.eml", b"Subject: Hello\n\nHello", EML),
    ("memo.txt", b"From: Ann\nTo: Bob\nSubject: Lunch\n\nAt noon.", TEXT),
    ("a.pdf", PNG, "image/png"),
    ("a", b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
    ("a", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    ("a", b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
    ("a", b"\x00\x00\x00\x20ftypM4A \x00", "audio/mp4"),
    ("a", b"\x00\x00\x00\x20ftypisom\x00", "video/mp4"),
    ("a", b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm\x00", "video/webm"),
    ("a", b"\xff\xfb\x90\x00\x00\x00", "audio/mpeg"),
    ("a", b"RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00", "audio/wav"),
    ("a", b"\xff\xf1\x50\x80\x00\x1f\xfc\x00", "audio/aac"),
    ("a", b"FORM\x00\x00\x00\x00AIFF", "audio/aiff"),
]


def test_content_decides_and_the_name_only_chooses_among_texts(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, data, expected in KNOWN:
        with subtests.test(name=name, data=data):
            assert detected(tmp_path, name, data) == expected


REFUSED = [
    ("a.txt", b"", "empty_file", "0 bytes"),
    ("a.txt", b" \r\n\t", "empty_file", "white space"),
    ("a.txt", b"\xef\xbb\xbf\n", "empty_file", "white space"),
    ("a.txt", b"MZ\x90\x00\x03\x00", "unsupported_type", "Windows program"),
    ("a.txt", b"\x7fELF\x02\x01\x01\x00", "unsupported_type", "Linux program"),
    ("a.doc", OLE + b"\x00" * 600, "unsupported_type", "old Office"),
    ("a.txt", b"abc\x00\x01\x02def", "unsupported_type", "binary"),
    ("a.txt", b"%!PS-Adobe-3.0\n", "unsupported_type", "PostScript"),
    ("a.mp4", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "unsupported_type", "playlist"),
    ("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "unsupported_type", "playlist"),
    ("a.docx", b"PK\x03\x04 and then nothing", "broken_file", "zip"),
]


def test_what_cannot_be_read_is_named(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, data, code, seen in REFUSED:
        with subtests.test(name=name, data=data):
            with pytest.raises(ParseError) as caught:
                detected(tmp_path, name, data)
            assert caught.value.code == code
            assert seen in caught.value.detail


OOXML = "application/vnd.openxmlformats-officedocument."
PACKED = [
    ({"[Content_Types].xml": OOXML + "wordprocessingml.document.main+xml"}, DOCX),
    ({"[Content_Types].xml": "application/vnd.ms-word.document.macroEnabled.main+xml"}, DOCX),
    ({"[Content_Types].xml": OOXML + "spreadsheetml.sheet.main+xml"}, XLSX),
    ({"[Content_Types].xml": "application/vnd.ms-excel.sheet.macroEnabled.main+xml"}, XLSX),
    # A workbook behind a slide's chart is named first.
    ({"[Content_Types].xml": f"{OOXML}spreadsheetml.sheet {OOXML}presentationml.slideshow.main+xml"}, PPTX),
    ({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "x"}, ODT),
    ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "x"}, ODS),
    ({"mimetype": "application/vnd.oasis.opendocument.presentation", "content.xml": "x"}, ODP),
    ({"content.xml": "x", "META-INF__manifest.xml": '<m type="application/vnd.oasis.opendocument.text"/>'}, ODT),
    ({"mimetype": "application/epub+zip", "META-INF__container.xml": "x"}, EPUB),
    ({"a.txt": "x"}, ZIP),
]


def test_a_file_in_a_zip_container_is_known_by_its_parts(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for parts, expected in PACKED:
        with subtests.test(parts=parts):
            assert detected(tmp_path, "a.pdf", zipped(tmp_path, **parts)) == expected


def test_an_older_office_file_is_known_by_its_streams(tmp_path: Path, subtests: pytest.Subtests) -> None:
    streams = {"WordDocument": DOC, "PowerPoint Document": PPT, "Workbook": XLS, "__properties_version1.0": MSG}
    for name, expected in streams.items():
        with subtests.test(name=name):
            assert detected(tmp_path, "a.bin", OLE + b"\x00" * 600 + name.encode("utf-16-le")) == expected


@pytest.mark.parametrize(
    ("parts", "code", "seen"),
    [
        ({"[Content_Types].xml": "application/vnd.ms-visio.drawing.main+xml"}, "unsupported_type", "another kind"),
        ({"mimetype": "application/vnd.oasis.opendocument.graphics", "content.xml": "x"}, "unsupported_type", "Open"),
        (
            {
                "mimetype": "application/vnd.oasis.opendocument.text",
                "content.xml": "x",
                "META-INF__manifest.xml": "<manifest:encryption-data/>",
            },
            "encrypted_file",
            "password",
        ),
    ],
)
def test_zip_files_that_cannot_be_read_are_named(tmp_path: Path, parts: dict[str, str], code: str, seen: str) -> None:
    with pytest.raises(ParseError) as caught:
        detected(tmp_path, "a.docx", zipped(tmp_path, **parts))
    assert (caught.value.code, seen in caught.value.detail) == (code, True)


def test_a_word_file_with_a_password_is_told_as_such(tmp_path: Path) -> None:
    data = OLE + b"\x00" * 512 + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(ParseError) as caught:
        detected(tmp_path, "a.docx", data)
    assert caught.value.code == "encrypted_file"


def test_each_suffix_belongs_to_one_format() -> None:
    suffixes = [suffix for entry in FORMATS for suffix in entry.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert format_by_suffix(".CSV") is format_of("text/csv; charset=utf-8")
    assert format_of("image/png") is format_of("image/*")
