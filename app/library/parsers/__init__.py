"""Parsers, one file a format; `parse` chooses by media type."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import format_of

Parser = Callable[[Path, Limits], Parsed]


def parse(path: Path, media_type: str, limits: Limits = DEFAULT) -> Parsed:
    """Parse a file of a media type. Errors: ParseError with the codes of the format's own `parse`."""
    entry = format_of(media_type)
    if entry is None or not entry.parser:
        raise ParseError("unsupported_type", entry.label if entry else media_type)
    # By name, so that a format's library is loaded only when it is needed.
    parser: Parser = import_module(f"{__name__}.{entry.parser}").parse
    return parser(path, limits)
