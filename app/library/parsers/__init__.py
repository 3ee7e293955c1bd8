"""Parsers, one file a format; `parse` chooses by media type."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import CSV, DOCX, HTML, MARKDOWN, PDF, TEXT

Parser = Callable[[Path, Limits], Parsed]

# Module names, not functions, so that a format's library is loaded only when it is needed.
PARSERS = {PDF: "pdf", DOCX: "docx", HTML: "html", MARKDOWN: "markdown", CSV: "csv", TEXT: "text"}


def parse(path: Path, media_type: str, limits: Limits = DEFAULT) -> Parsed:
    """Parse a file of a media type. Errors: ParseError with the codes of the format's own `parse`."""
    if media_type not in PARSERS:
        raise ParseError("unsupported_type", media_type)
    parser: Parser = import_module(f"{__name__}.{PARSERS[media_type]}").parse
    return parser(path, limits)
