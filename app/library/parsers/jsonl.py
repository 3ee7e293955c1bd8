"""Parser of JSON Lines; app/library/parsers/json.py reads them."""

from app.library.parsers.json import parse_lines as parse

__all__ = ["parse"]
