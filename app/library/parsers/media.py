"""Media types that the parsers can read."""

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"
# Only the name or the source of a text says which kind of text it is.
_SUFFIXES = {HTML: (".html", ".htm", ".xhtml"), MARKDOWN: (".md", ".markdown", ".mdown"), CSV: (".csv", ".tsv", ".tab")}
MEDIA_TYPES = (PDF, DOCX, HTML, MARKDOWN, CSV, TEXT)


def name_hint(name: str, media_type: str) -> str:
    """Return the name to read a file by, with a suffix of the media type that its source states, if any."""
    suffixes = _SUFFIXES.get(media_type.partition(";")[0].strip().lower(), ())
    return name if not suffixes or name.lower().endswith(suffixes) else name + suffixes[0]
