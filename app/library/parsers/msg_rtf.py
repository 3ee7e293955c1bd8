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
    reader = _Reader(rtf, html)
    for token in _TOKEN.finditer(rtf):
        reader.take(token)
    reader.flush()
    return "".join(reader.parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Reader:
    """Reads tokens. Of each open group: whether it is hidden, and whether its text only stands for HTML."""

    def __init__(self, rtf: str, html: bool) -> None:
        match = re.search(r"\\ansicpg(\d+)", rtf[:500])
        self.rtf, self.html, self.encoding = rtf, html, f"cp{match[1]}" if match else "cp1252"
        self.parts: list[str] = []
        self._pending = bytearray()
        self._hidden, self._standing = [False], [False]
        # Characters that stand for a Unicode character before them; whether a group has just begun.
        self._skip, self._first = 0, False

    def take(self, token: re.Match[str]) -> None:
        word, number, code, symbol, brace, text = token.groups()
        if code is not None:
            if self._skip:
                self._skip -= 1
            elif not self._silent:
                self._pending.append(int(code, 16))
            return
        self.flush()
        if brace:
            self._group(brace)
            return
        if symbol == "*" and self._first:
            # A group whose word is unknown is hidden; that of a tag is not.
            self._hidden[-1] = not (self.html and self.rtf.startswith("\\htmltag", token.end()))
            self._standing[-1] = self._standing[-1] and self._hidden[-1]
        elif word == "htmlrtf":
            self._standing[-1] = self.html and number != "0"
        elif word in _HIDDEN and self._first:
            self._hidden[-1] = True
        elif not self._silent:
            self._shown(word, number, symbol, text)
        if (word and word != "u") or text:
            self._skip = 0
        self._first = False

    @property
    def _silent(self) -> bool:
        return self._hidden[-1] or self._standing[-1]

    def _group(self, brace: str) -> None:
        if brace == "{":
            if len(self._hidden) > _DEPTH:
                raise ParseError("file_too_complex", "groups nested too far")
            self._hidden.append(self._hidden[-1])
            self._standing.append(self._standing[-1])
            self._first = True
        elif len(self._hidden) > 1:
            self._hidden.pop()
            self._standing.pop()

    def _shown(self, word: str | None, number: str | None, symbol: str | None, text: str | None) -> None:
        if word == "u" and number:
            self.parts.append(chr(int(number) % 65536))
            self._skip = 1
        elif word in _MARKS:
            self.parts.append(_MARKS[word])
        elif symbol in ("~", "_", "\\", "{", "}"):
            self.parts.append({"~": " ", "_": "-"}.get(symbol, symbol))
        elif text:
            self.parts.append(text[self._skip :])

    def flush(self) -> None:
        """Decode the bytes that were written as codes, now that their run has ended."""
        if self._pending:
            self.parts.append(_decoded(self._pending, self.encoding))
            self._pending.clear()


def _decoded(data: bytearray, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("cp1252", "replace")
