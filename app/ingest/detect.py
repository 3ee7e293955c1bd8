"""What a file is, by its content; the name only chooses among kinds of text."""

from pathlib import Path

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"


def detect_media_type(path: Path, name: str) -> str:
    """One of the six media types above. Errors: empty_file, unsupported_type, broken_file, encrypted_file."""
    raise NotImplementedError
