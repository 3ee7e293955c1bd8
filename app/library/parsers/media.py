"""The file formats: media type, parser, name in words, and the suffixes of their files."""

import re
from dataclasses import dataclass

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODP = "application/vnd.oasis.opendocument.presentation"
ODT = "application/vnd.oasis.opendocument.text"
RTF = "application/rtf"
EPUB = "application/epub+zip"
DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"
JSON = "application/json"
JSONL = "application/jsonl"
XML = "application/xml"
SRT = "application/x-subrip"
VTT = "text/vtt"
ZIP = "application/zip"
# Of pictures, sound and video one media type stands for the family; the detected one is more exact.
IMAGE = "image/*"
AUDIO = "audio/*"
VIDEO = "video/*"


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    parser: module of app/library/parsers; "" for a format that is known but cannot be read yet.
    label: its name in a message about a file of this format, such as "an Excel workbook".
    suffixes: of its files' names. Where `by_name` is true, only the name tells the format from other text.
    """

    media_type: str
    parser: str
    label: str
    suffixes: tuple[str, ...]
    by_name: bool = False


FORMATS = (
    Format(PDF, "pdf", "a PDF", (".pdf",)),
    Format(DOCX, "docx", "a Word document", (".docx", ".docm", ".dotx", ".dotm")),
    Format(HTML, "html", "a web page", (".html", ".htm", ".xhtml")),
    Format(MARKDOWN, "markdown", "a Markdown text", (".md", ".markdown", ".mdown"), by_name=True),
    Format(CSV, "csv", "a CSV table", (".csv", ".tsv", ".tab"), by_name=True),
    Format(TEXT, "text", "a text", (".txt",)),
    Format(XLSX, "xlsx", "an Excel workbook", (".xlsx", ".xlsm", ".xltx", ".xltm")),
    Format(XLS, "xls", "an old Excel workbook (.xls)", (".xls",)),
    Format(ODS, "ods", "an OpenDocument spreadsheet", (".ods",)),
    Format(PPTX, "pptx", "a PowerPoint presentation", (".pptx", ".pptm", ".ppsx", ".potx")),
    Format(ODP, "odp", "an OpenDocument presentation", (".odp",)),
    Format(ODT, "odt", "an OpenDocument text", (".odt",)),
    Format(RTF, "rtf", "an RTF document", (".rtf",)),
    Format(EPUB, "epub", "an EPUB book", (".epub",)),
    Format(DOC, "legacy_office", "an old Word document (.doc)", (".doc",)),
    Format(PPT, "legacy_office", "an old PowerPoint presentation (.ppt)", (".ppt",)),
    Format(EML, "mail", "an e-mail message", (".eml", ".mbox")),
    Format(MSG, "msg", "an Outlook message", (".msg",)),
    Format(JSON, "json", "a JSON file", (".json", ".geojson"), by_name=True),
    Format(JSONL, "jsonl", "a JSON Lines file", (".jsonl", ".ndjson"), by_name=True),
    Format(XML, "xml", "an XML file", (".xml", ".rss", ".atom", ".dita")),
    Format(SRT, "subtitles", "subtitles (SRT)", (".srt",)),
    Format(VTT, "subtitles", "subtitles (WebVTT)", (".vtt",)),
    Format(ZIP, "archive", "a zip archive", (".zip",)),
    Format(IMAGE, "picture", "a picture", (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")),
    Format(
        AUDIO, "recording", "a sound recording", (".mp3", ".m4a", ".aac", ".wav", ".ogg", ".opus", ".flac", ".aiff")
    ),
    Format(VIDEO, "recording", "a video", (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi")),
)
# Parsers that the process of `fork_server` loads before it forks; those of seldom formats are loaded when needed.
PRELOADED = (
    "pdf",
    "docx",
    "html",
    "markdown",
    "csv",
    "text",
    "pptx",
    "odt",
    "odp",
    "rtf",
    "epub",
    "xlsx",
    "mail",
    "json",
    "xml",
)
_BY_MEDIA_TYPE = {entry.media_type: entry for entry in FORMATS}
_BY_SUFFIX = {suffix: entry for entry in FORMATS for suffix in entry.suffixes}


def format_of(media_type: str) -> Format | None:
    """Return the format of a media type, of a picture, sound or video that of its family."""
    media_type = media_type.partition(";")[0].strip().lower()
    return _BY_MEDIA_TYPE.get(media_type) or _BY_MEDIA_TYPE.get(f"{media_type.partition('/')[0]}/*")


def format_by_suffix(suffix: str) -> Format | None:
    """Return the format whose files have this suffix, such as `.csv`."""
    return _BY_SUFFIX.get(suffix.lower())


def name_hint(name: str, media_type: str) -> str:
    """Return the name to read a file by, with a suffix of the media type that its source states, if any."""
    stated = format_of(media_type)
    if stated is None or not (stated.by_name or stated.media_type == HTML) or name.lower().endswith(stated.suffixes):
        return name
    return name + stated.suffixes[0]


def name_words(name: str) -> str:
    """Return the words of a file's name, without a format's suffix: "leave policy 2024" of leave-policy_2024.pdf."""
    stem, dot, suffix = name.rpartition(".")
    known = dot and format_by_suffix(f".{suffix}") is not None
    return re.sub(r"[\s_.-]+", " ", stem if known else name).strip()
