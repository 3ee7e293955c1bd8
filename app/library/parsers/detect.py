"""Detection of a file's media type by its content; the name only chooses among kinds of text."""

import re
from pathlib import Path

from app.library.parsers.blocks import ParseError
from app.library.parsers.detect_binary import foreign_label, media_signature
from app.library.parsers.detect_office import ole_type, zip_type
from app.library.parsers.encoding import decode, wide_encoding
from app.library.parsers.media import EML, HTML, PDF, RTF, SRT, TEXT, VTT, XML, format_by_suffix

_HEAD = 64 * 1024
# PDF readers accept a header anywhere in the first kilobyte, after bytes that a mail program or a script added.
_PDF_WITHIN = 1024
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:(?><!--.{0,4000}?-->)\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_HTML_TAG = re.compile(r"<(?:html|head|body|title|meta|div|p|h[1-6]|table|ul|ol|br|span|a)\b[^>]{0,500}>", re.I)
_XML_START = re.compile(r"\s*<\?xml\s")
_XML_ELEMENT = re.compile(
    r"\s*(?:(?><!--.{0,4000}?-->|<!DOCTYPE[^\[>]{0,1000}(?:\[.{0,20000}?\]\s*)?>|<\?[^>]{0,1000}>)\s*){0,20}<[A-Za-z_][\w.:-]*[\s/>]",
    re.S,
)
_TIME = r"\d{1,3}:\d\d:\d\d[,.]\d{1,3}"
_SRT_START = re.compile(rf"\s*\d+\s*\n\s*{_TIME}\s*-->\s*{_TIME}")
_VTT_START = re.compile(r"WEBVTT(?:\s*\Z|(?:[ \t].*)?\n(?:.*\n){0,50}?\s*(?:\d+:)?\d\d:\d\d\.\d{3}\s+-->)")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?.*\n(?:[ \t].*\n)*")
# They name files and addresses for a player to open.
_PLAYLISTS = ("#EXTM3U", "ffconcat version", "[playlist]")
# One of these and another header make a message; a note that begins "Subject: …" is a text.
_MAIL_HEADERS = frozenset({"message-id", "received", "mime-version", "return-path", "delivered-to", "x-mailer"})
_ADDRESS_HEADERS = frozenset({"from", "to", "date", "subject"})
# Tab, line and page ends, back space, end of file; shift out, in and escape switch ISO 2022 encodings.
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x08\x1a\x0e\x0f\x1b")


def detect_media_type(path: Path, name: str) -> str:
    """Return the media type of a file, one of a format of `media` or of a family there.

    Errors: empty_file, unsupported_type, broken_file, encrypted_file.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise ParseError("empty_file", "0 bytes")
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zip_type(path)
    if head.startswith(_OLE):
        return ole_type(path)
    if head.startswith(b"{\\rtf"):
        return RTF
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or wide_encoding(head) is not None
    if not wide and _is_binary(head):
        found = media_signature(head)
        if found is None:
            raise ParseError("unsupported_type", foreign_label(head))
        return found
    if head.startswith(b"%!PS"):
        raise ParseError("unsupported_type", "a PostScript file")
    return _text_type(head, Path(name).suffix.lower())


def _is_binary(head: bytes) -> bool:
    if b"\x00" in head:
        return True
    controls = sum(head.count(bytes([code])) for code in range(32) if code not in _TEXT_CONTROLS)
    return controls * 50 > len(head)


def _text_type(head: bytes, suffix: str) -> str:
    text = decode(head).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if text.lstrip().startswith(_PLAYLISTS):
        raise ParseError("unsupported_type", "a playlist, which only names recordings")
    if not text.strip(" \t\n\f\x00"):
        raise ParseError("empty_file", "white space only")
    if _HTML_START.match(text):
        return HTML
    if _VTT_START.match(text):
        return VTT
    if _SRT_START.match(text):
        return SRT
    if _is_mail(text, suffix):
        return EML
    named = format_by_suffix(suffix)
    if _XML_START.match(text) or (named and named.media_type == XML and _XML_ELEMENT.match(text)):
        return XML
    if named is None:
        return TEXT
    if named.media_type == HTML:
        return HTML if _HTML_TAG.search(text) else TEXT
    return named.media_type if named.by_name else TEXT


def _is_mail(text: str, suffix: str) -> bool:
    """Return whether a text begins with the headers of a message."""
    names: set[str] = set()
    # Mailboxes of Unix begin each message with a line of its own.
    at = text.find("\n") + 1 if text.startswith("From ") else 0
    while header := _HEADER.match(text, at):
        names.add(header[1].lower())
        at = header.end()
    if suffix in (".eml", ".mbox") and len(names & (_MAIL_HEADERS | _ADDRESS_HEADERS)) > 1:
        return True
    if at < len(text) and text[at] != "\n":
        return False
    if suffix == ".eml" and names & (_MAIL_HEADERS | _ADDRESS_HEADERS):
        return True
    return bool(names & _MAIL_HEADERS) and len(names & _ADDRESS_HEADERS) > 1
