"""Headers of messages as people read them: encoded words, broken encodings, folded lines."""

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import collapse_rfc2231_value

from app.library.parsers.encoding import decode, one_line

# A longer header is an attack on whoever decodes it, or a list of hundreds of recipients.
_HEADER_CHARS = 20_000
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(=\?)")


def header_text(message: Message, name: str) -> str:
    """Return a header as one line; of `filename` that of the part, whichever header has it."""
    if name == "filename":
        return _filename(message)
    values = message.get_all(name, [])
    return ", ".join(filter(None, (decoded(_raw(value)) for value in values)))


def _raw(value: object) -> str:
    """Return a value as it stands in the file; bytes that are no ASCII in the encoding that they look like."""
    text = str(value)[:_HEADER_CHARS]
    try:
        raw = text.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return text
    return text if raw.isascii() else decode(raw)


def decoded(text: str) -> str:
    """Return a header with its encoded words decoded."""
    if "=?" not in text:
        return one_line(text)
    try:
        parts = decode_header(_BETWEEN_WORDS.sub(r"\1 \2", text))
    except (HeaderParseError, ValueError):
        return one_line(text)
    return one_line("".join(_word(part, encoding) for part, encoding in parts))


def _word(part: bytes | str, encoding: str | None) -> str:
    if isinstance(part, str):
        return part
    if encoding is None:
        # Text between encoded words, which the library gives as bytes of raw unicode escapes.
        return part.decode("raw_unicode_escape", "replace")
    return decode(part, encoding)


def _filename(part: Message) -> str:
    name = part.get_param("filename", None, "content-disposition") or part.get_param("name", None, "content-type")
    if name is None:
        return ""
    text = collapse_rfc2231_value(name) if not isinstance(name, bytes) else decode(name)
    return decoded(_raw(text))
