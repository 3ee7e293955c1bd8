"""The body of an Outlook message in compressed RTF (MS-OXRTFCP), and the HTML inside it (MS-OXRTFEX)."""

import re
import struct

from app.library.parsers.blocks import ParseError

_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20"
    b"\\b\\i\\u\\tab\\tx"
)
_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_AT_MOST = 32 * 1024 * 1024
_TOKEN = re.compile(
    r"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\"
)
# Groups that hold no text of the message.
_HIDDEN = frozenset(
    {"fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "generator", "themedata", "datastore", "listtable"}
    | {"listoverridetable", "rsidtbl", "xmlnstbl", "latentstyles", "mmathpr", "header", "footer", "colorschememapping"}
)
_MARKS = {"par": "\n", "line": "\n", "tab": "\t", "cell": "\t", "row": "\n", "emdash": "—", "endash": "–",
          "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•"}  # fmt: skip
_DEPTH = 500


def rtf_unpacked(data: bytes) -> str:
    """Return compressed RTF as text; empty when there is none. Errors: file_too_complex."""
    if len(data) < 16:
        return ""
    _, size, kind, _ = struct.unpack("<II4sI", data[:16])
    if size > _AT_MOST:
        raise ParseError("file_too_complex", f"a body of {size:,} bytes")
    if kind == _PLAIN:
        return data[16 : 16 + size].decode("latin-1")
    return _unpacked(data, size).decode("latin-1") if kind == _COMPRESSED else ""


def _unpacked(data: bytes, size: int) -> bytes:
    window = bytearray(4096)
    window[: len(_DICTIONARY)] = _DICTIONARY
    end, at = len(_DICTIONARY), 16
    output = bytearray()
    while at < len(data) and len(output) < size:
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            if not control >> bit & 1:
                output.append(data[at])
                window[end] = data[at]
                end, at = (end + 1) % 4096, at + 1
                continue
            if at + 1 >= len(data):
                return bytes(output)
            reference = data[at] << 8 | data[at + 1]
            at += 2
            offset, length = reference >> 4, (reference & 15) + 2
            if offset == end:
                return bytes(output)
            for step in range(length):
                byte = window[(offset + step) % 4096]
                output.append(byte)
                window[end] = byte
                end = (end + 1) % 4096
    return bytes(output)


def rtf_html(rtf: str) -> str:
    """Return the HTML that was put into RTF; empty when the body was not HTML."""
    return _read(rtf, html=True) if "\\fromhtml" in rtf[:2000] else ""


def rtf_text(rtf: str) -> str:
    """Return the text of RTF, paragraphs at line ends."""
    return _read(rtf, html=False)


def _read(rtf: str, *, html: bool) -> str:
    """Read the text that is shown; of HTML inside RTF its tags, and no text that stands for them."""
    match = re.search(r"\\ansicpg(\d+)", rtf[:500])
    encoding = f"cp{match[1]}" if match else "cp1252"
    parts: list[str] = []
    pending = bytearray()
    # Of each open group: whether it is hidden, and whether its text only stands for HTML.
    hidden, standing, skip, first = [False], [False], 0, False
    for token in _TOKEN.finditer(rtf):
        word, number, code, symbol, brace, text = token.groups()
        if code is not None:
            if skip:
                skip -= 1
            elif not hidden[-1] and not standing[-1]:
                pending.append(int(code, 16))
            continue
        if pending:
            parts.append(_decoded(pending, encoding))
            pending.clear()
        if brace == "{":
            if len(hidden) > _DEPTH:
                raise ParseError("file_too_complex", "groups nested too far")
            hidden.append(hidden[-1])
            standing.append(standing[-1])
            first = True
            continue
        if brace == "}":
            if len(hidden) > 1:
                hidden.pop()
                standing.pop()
        elif symbol == "*" and first:
            # A group whose word is unknown is hidden; that of a tag is not.
            hidden[-1] = not (html and rtf.startswith("\\htmltag", token.end()))
            standing[-1] = standing[-1] and hidden[-1]
        elif word == "htmlrtf":
            standing[-1] = html and number != "0"
        elif word in _HIDDEN and first:
            hidden[-1] = True
        elif hidden[-1] or standing[-1]:
            pass
        elif word == "u" and number:
            parts.append(chr(int(number) % 65536))
            skip = 1
            continue
        elif word in _MARKS:
            parts.append(_MARKS[word])
        elif symbol in ("~", "_", "\\", "{", "}"):
            parts.append({"~": " ", "_": "-"}.get(symbol, symbol))
        elif text:
            parts.append(text[skip:] if skip else text)
        if word or text:
            skip = 0
        first = False
    parts.append(_decoded(pending, encoding))
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decoded(data: bytearray, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("cp1252", "replace")
