"""Decoding of bytes into clean text: encodings, and characters that no text may contain."""

import codecs
import re
from typing import BinaryIO

from charset_normalizer import from_bytes

# Controls, lone surrogates, non-characters, zero-width fillers, soft hyphens and marks that reverse the shown order
# (used to disguise text): none of them is text, and PostgreSQL refuses NUL.
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u2028\u2029\u202a-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\uffff]"
)
# Typesetting's joined letters: a search for "office" would not find them.
_LIGATURES = {
    chr(0xFB00 + number): letters for number, letters in enumerate(["ff", "fi", "fl", "ffi", "ffl", "st", "st"])
}
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_2"), (b"\x1b(J", "iso2022_jp_2"))
# Enough to detect an encoding; the detector's time grows with it.
_SAMPLE = 48_000
_PART = 1024 * 1024
# Non-ASCII characters of Western European texts.
_WESTERN = frozenset("äöüßÄÖÜàâçéèêëîïôùûœÀÂÇÉÈÊËÎÏÔÙÛŒáíñóúÁÍÑÓÚìòÌÒãõÃÕåøæÅØÆ€£§°´’‘“”„«»–—…·•©®²³½¼¾µ×±¡¿º ")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
_HIGH = re.compile(rb"[\x80-\xff]")
_C1 = re.compile(rb"[\x80-\x9f]")
# Rare variants of these would only win by accident.
_EAST_ASIAN = ["cp932", "gb18030", "big5hkscs", "euc_jp", "cp949"]
_IN_USE = [
    *_EAST_ASIAN,
    "big5",
    "johab",
    "koi8_r",
    "koi8_u",
    "cp866",
    "cp855",
    "mac_cyrillic",
    "cp874",
    "cp437",
    "cp850",
]
_IN_USE += [f"cp{number}" for number in range(1250, 1259)] + [f"iso8859_{number}" for number in (2, 5, 6, 7, 8)]
_LETTER_SYMBOL_LETTER = re.compile(r"[A-Za-z][£§°„«»…·•©®²³½¼¾×±¡¿º][a-z]")


def clean(text: str) -> str:
    """Remove characters that no text may contain; write line ends as `\\n` and ligatures as their letters."""
    # Nearly all short texts: half the time of the searches below.
    if text.isascii() and text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _LIGATURE.search(text):
        text = _LIGATURE.sub(lambda match: _LIGATURES[match.group()], text)
    return _REFUSED.sub("", text) if _REFUSED.search(text) else text


def one_line(text: str) -> str:
    """Clean a text, with every run of white space as one space."""
    if text.isascii() and text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text
    return " ".join(clean(text).split())


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode a file in any usual encoding; never fails. declared: its own declaration, used if it fits."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace")
    wide = wide_encoding(data)
    if wide:
        return data.decode(wide, "replace")
    for escape, encoding in _ESCAPES:
        if escape in data[:_SAMPLE]:
            return data.decode(encoding, "replace")
    for possible in ("utf-8", declared):
        text = _strictly(data, possible)
        if text is not None:
            return text
    sample = _sample(data)
    if _nearly_utf8(sample):
        # Files that were joined or pasted together are partly in Windows-1252.
        return data.decode("utf-8", "cp1252_rest")
    return data.decode(_detected(sample), "replace")


def encoding_of(file: BinaryIO) -> tuple[str, str, int]:
    """Return the encoding of a file as `decode` finds it, the handler of its errors, and the size of its mark.

    The file is read in parts, so that a large one takes little memory.
    """
    data = file.read(_SAMPLE)
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return encoding, "replace", len(bom)
    wide = wide_encoding(data)
    if wide:
        return wide, "replace", 0
    for escape, encoding in _ESCAPES:
        if escape in data:
            return encoding, "replace", 0
    utf8 = codecs.getincrementaldecoder("utf-8")()
    valid = True
    parts: list[bytes] = []
    size = 0
    part, following = data, file.read(_PART)
    if not following:
        parts, size = [data], _SAMPLE
    while part and (valid or size < _SAMPLE):
        if size < _SAMPLE and not part.isascii():
            parts += _around_high(part, _SAMPLE - size)
            size = sum(map(len, parts))
        if valid:
            try:
                utf8.decode(part, final=not following)
            except UnicodeDecodeError:
                valid = False
        part, following = following, file.read(_PART)
    if valid:
        return "utf-8", "replace", 0
    sample = b"".join(parts)
    return ("utf-8", "cp1252_rest", 0) if _nearly_utf8(sample) else (_detected(sample), "replace", 0)


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not UTF-8 as Windows-1252, the error handler `cp1252_rest`."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("cp1252_rest", _as_cp1252)


def wide_encoding(data: bytes) -> str | None:
    """Return UTF-16 or UTF-32 without a byte order mark, detected by the positions of zero bytes."""
    head = data[:4096]
    if len(head) < 4 or b"\x00" not in head:
        return None
    zeros = [head[lane::4].count(0) * 4 / len(head) for lane in range(4)]
    if zeros[2] > 0.9 and zeros[3] > 0.9 and zeros[0] < 0.1:
        return "utf-32-le"
    if zeros[0] > 0.9 and zeros[1] > 0.9 and zeros[3] < 0.1:
        return "utf-32-be"
    even, odd = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    least = 0.2 if len(head) > 200 else 0.35
    if odd > least and even < 0.02 and _is_plausible(head, "utf-16-le"):
        return "utf-16-le"
    if even > least and odd < 0.02 and _is_plausible(head, "utf-16-be"):
        return "utf-16-be"
    return None


def _is_plausible(head: bytes, encoding: str) -> bool:
    """Return whether the decoded text looks like text: binary data has zero bytes too, but controls between them."""
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    return len(text) > 3 and not _CONTROL.search(text) and sum(map(str.isalnum, text)) * 3 > len(text)


def _strictly(data: bytes, encoding: str | None) -> str | None:
    if not encoding:
        return None
    try:
        # A page declared as ISO-8859-1 is in Windows-1252, as browsers read it.
        name = "cp1252" if codecs.lookup(encoding).name in ("iso8859-1", "ascii") else encoding
        return data.decode(name)
    except (LookupError, UnicodeDecodeError, ValueError):
        return None


def _sample(data: bytes) -> bytes:
    """Return the text around non-ASCII bytes: one foreign name in an English file may alone show the encoding."""
    return data if len(data) <= _SAMPLE else b"".join(_around_high(data, _SAMPLE))


def _around_high(data: bytes, most: int) -> list[bytes]:
    parts: list[bytes] = []
    at, size = 0, 0
    for match in _HIGH.finditer(data):
        if match.start() >= at:
            at = match.start() + 400
            part = data[max(0, match.start() - 200) : at]
            parts.append(part)
            size += len(part)
            if size >= most:
                break
    return parts


def _nearly_utf8(sample: bytes) -> bool:
    """Return whether it is UTF-8 with a few other bytes, as joining, cutting or pasting leaves them."""
    text = sample.decode("utf-8", "ignore")
    high = sum(1 for char in text if char > "\x7f")
    return high > 0 and len(sample) - len(text.encode()) < high / 4


def _detected(sample: bytes) -> str:
    if _looks_western(sample):
        return "cp1252"
    best = from_bytes(sample, cp_isolation=_IN_USE).best()
    if best is None:
        return _least_broken(sample)
    if best.encoding == "cp1250" and not _C1.search(sample):
        return "iso8859_2"
    if best.encoding in ("cp1250", "cp1252") and _looks_turkish(sample):
        return "cp1254"
    return best.encoding


def _least_broken(sample: bytes) -> str:
    """Return the East Asian encoding with the fewest errors, for a slightly damaged file; else Windows-1252."""
    errors = {encoding: sample.decode(encoding, "replace").count("\ufffd") for encoding in _EAST_ASIAN}
    best = min(errors, key=errors.__getitem__)
    high = len(_HIGH.findall(sample))
    return best if errors[best] * 50 < high else "cp1252"


def _looks_western(sample: bytes) -> bool:
    text = sample.decode("cp1252", "replace")
    high = [char for char in text if char > "\x7f"]
    letters = set(high)
    if not letters <= _WESTERN or (letters & set("õû") and letters & set("öüó") and not letters & set("ãçêèñà")):
        return False
    ascii_letters = sum(1 for char in text if char.isascii() and char.isalpha())
    return len(high) * 3 < ascii_letters + 4 and not _LETTER_SYMBOL_LETTER.search(text)


def _looks_turkish(sample: bytes) -> bool:
    letters = set(sample.decode("cp1252", "replace"))
    return len(letters & set("ýþð")) > 1 and bool(letters & set("üöç")) and not letters & set("æá")
