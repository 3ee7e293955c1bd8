"""Media types that the parsers can read."""

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"
MEDIA_TYPES = (PDF, DOCX, HTML, MARKDOWN, CSV, TEXT)
