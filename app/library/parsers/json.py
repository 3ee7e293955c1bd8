"""Parser of JSON and JSON Lines: objects as key paths with their values, lists of records as tables."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import MEBIBYTE, Limits
from app.library.parsers.media import JSON, JSONL
from app.library.parsers.outline import Outline, Where
from app.library.parsers.records import Records
from app.library.parsers.text import text_add

# Values of larger files are made one at a time: as objects a file takes about eight times its bytes.
_WHOLE_BYTES = 16 * MEBIBYTE
_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.{0,4000}?\*/', re.S)
_LAST_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])')


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: empty_file, file_too_complex."""
    outline = Outline(limits)
    records = Records(outline, limits)
    data = path.read_bytes()
    try:
        if len(data) > _WHOLE_BYTES and (values := _array(decode(data))) is not None:
            records.stream(values, 1, _row)
            return _parsed(outline, JSON)
        value = _value(data)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecursionError) or "recursion" in str(error).lower():
            raise ParseError("file_too_complex", "values nested too deep") from error
        return _lines_or_text(path, data, outline, records)
    if isinstance(value, list):
        records.stream(value, 1, _row)
    else:
        records.add(value)
    return _parsed(outline, JSON)


def parse_lines(path: Path, limits: Limits) -> Parsed:
    """Parse a file with one value a line. Errors: empty_file, file_too_complex."""
    outline = Outline(limits)
    return _read_lines(path, outline, Records(outline, limits))


def _row(number: int) -> Where:
    return Where(rows=(number, number))


def _parsed(outline: Outline, media_type: str, warnings: tuple[str, ...] = ()) -> Parsed:
    if not outline.blocks:
        raise ParseError("empty_file", "no value")
    return Parsed(tuple(outline.blocks), media_type, warnings=warnings)


def _value(data: bytes) -> Any:
    """Return the value of a file. Raises ValueError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # In another encoding, with NaN, with comments or a comma too many.
        text = clean(decode(data))
        try:
            return json.loads(text, strict=False)
        except ValueError:
            relaxed = _COMMENT.sub(lambda match: match[1] or " ", text)
            return json.loads(_LAST_COMMA.sub(lambda match: match[1] or "", relaxed), strict=False)


def _array(text: str) -> Iterator[Any] | None:
    """Return the entries of a list, made one at a time; None when the text is no list."""
    begin = _SPACE.match(text)
    at = begin.end() if begin else 0
    return _entries(text, at + 1) if text[at : at + 1] == "[" else None


def _entries(text: str, at: int) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    while True:
        at = _after_space(text, at)
        if text[at : at + 1] == "]":
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError as error:
            raise ParseError("broken_file", "JSON that ends in the middle or is damaged") from error
        yield value
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at += 1


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _lines_or_text(path: Path, data: bytes, outline: Outline, records: Records) -> Parsed:
    """Read a file that is no JSON: as one value a line, where most lines are one, else as the text that it is."""
    lines = [line for line in data.split(b"\n", 200)[:200] if line.strip()]
    valid = sum(1 for line in lines if _is_value(line))
    if len(lines) > 1 and valid * 2 > len(lines):
        return _read_lines(path, outline, records)
    text = clean(decode(data))
    # A list that breaks off is read as far as it goes.
    values = list(_until_damage(_array(text) or iter(())))
    if values:
        records.stream(values, 1, _row)
    else:
        text_add(text, outline)
    return _parsed(outline, JSON, ("not_valid:JSON",))


def _until_damage(values: Iterator[Any]) -> Iterator[Any]:
    with suppress(ParseError):
        yield from values


def _is_value(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except ValueError:
        return False
    return True


def _read_lines(path: Path, outline: Outline, records: Records) -> Parsed:
    bad: list[int] = []
    numbers: list[int] = []

    def values() -> Iterator[Any]:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    value = _value(line.removeprefix(b"\xef\xbb\xbf"))
                except (ValueError, RecursionError):
                    bad.append(number)
                    value = clean(decode(line))
                numbers.append(number)
                yield value

    # The place of an entry is its line in the file.
    records.stream(values(), 1, lambda number: _row(numbers[number - 1]) if numbers else _row(1))
    warnings = (f"lines_not_read:{len(bad)}",) if bad else ()
    return _parsed(outline, JSONL, warnings)
