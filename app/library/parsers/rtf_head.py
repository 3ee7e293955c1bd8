"""Tables at the head of an RTF file: fonts with their encodings, and styles that are headings."""

import re
from dataclasses import dataclass

# Encodings by the numbers that Windows gives to character sets; 1 is the document's own.
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_CODE_PAGES = {65001: "utf-8", 10000: "mac_roman", 10007: "mac_cyrillic", 936: "gbk", 1361: "johab", 0: "cp1252"}
_SYMBOLS = 2
_FONT = re.compile(r"\\f(\d{1,6})(?=[\\ {])([^{};]*(?:\{[^{}]*\}[^{};]*)*)")
_CHARSET = re.compile(r"\\fcharset(\d{1,3})")
_FONT_PAGE = re.compile(r"\\cpg(\d{1,5})")
_WORDS = re.compile(r"\{[^{}]*\}|\\[a-z]+-?\d* ?|\\\*|[\r\n]")
_STYLE = re.compile(r"\{\\s(\d{1,5})(?=[\\ {])([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_OUTLINE = re.compile(r"\\outlinelevel(\d)(?!\d)")
_HEADING = re.compile(r"heading (\d)\Z")


@dataclass(frozen=True, slots=True)
class Font:
    """A font. encoding: of its characters; "" for the document's own. symbols: its name, if it is one of symbols."""

    encoding: str = ""
    symbols: str = ""


def code_page(number: int) -> str:
    """Return the encoding of a code page of Windows or DOS."""
    known = _CODE_PAGES.get(number)
    if known:
        return known
    name = f"cp{number}"
    try:
        b"".decode(name)
    except LookupError:
        return "cp1252"
    return name


def fonts_read(table: str) -> dict[int, Font]:
    fonts: dict[int, Font] = {}
    for number, rest in _FONT.findall(table):
        charset, page = _CHARSET.search(rest), _FONT_PAGE.search(rest)
        kind = int(charset[1]) if charset else 1
        name = _WORDS.sub("", rest).strip()
        encoding = code_page(int(page[1])) if page and int(page[1]) else _CHARSETS.get(kind, "")
        is_symbols = kind == _SYMBOLS or name.lower() in ("symbol", "wingdings", "wingdings 2", "webdings")
        fonts[int(number)] = Font("" if is_symbols else encoding, name if is_symbols else "")
    return fonts


def headings_read(sheet: str) -> dict[int, int]:
    """Return the levels of styles that are headings, by the styles' numbers; 0 for the style of the title."""
    levels: dict[int, int] = {}
    for number, rest in _STYLE.findall(sheet):
        name = _WORDS.sub("", rest).partition(";")[0].strip().lower()
        heading, outline = _HEADING.match(name), _OUTLINE.search(rest)
        if name == "title":
            levels[int(number)] = 0
        elif heading:
            levels[int(number)] = int(heading[1])
        elif outline and outline[1] != "9":
            levels[int(number)] = int(outline[1]) + 1
    return levels


def day_read(number: str) -> str:
    """Return the day in a number of Word's, whose bits are minute, hour, day, month, year since 1900; "" for none."""
    if not number.lstrip("-").isdecimal() or len(number) > 11:
        return ""
    packed = int(number) & 0xFFFFFFFF
    year, month, day = 1900 + (packed >> 20 & 0x1FF), packed >> 16 & 0xF, packed >> 11 & 0x1F
    return f"{year}-{month:02d}-{day:02d}" if month and day else ""
