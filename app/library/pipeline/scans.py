"""The reading of scans: their text is recognised page by page, in the slow lane, saved as it goes.

What is recognised so far is stored beside the text of the version that is being built; a worker that takes over reads
the other pages. Then the file is parsed again, with the recognised pages in their places.
"""

import tempfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from app.errors import IngestFailed
from app.library.choices import Step
from app.library.models import VersionText
from app.library.ocr.reading_process import packages_missing, pages_recognise
from app.library.parsers.blocks import Parsed, blocks_to_json
from app.library.parsers.media import name_hint
from app.library.parsers.picture import NEEDS_OCR
from app.library.parsers.scans import pages_wanted
from app.library.pipeline.context import IngestContext
from app.library.pipeline.sandbox import ParsedChunks, parse_and_chunk
from app.library.services.jobs import INGEST_SCAN

SAVE_S = 10.0
# The key of the recognised pages in a version's stored text.
_READING = "recognised"


def needs_recognition(parsed: ParsedChunks) -> bool:
    """Return whether a file has pages whose text is to be recognised."""
    return NEEDS_OCR in parsed.warnings or bool(pages_wanted(parsed.warnings))


def scan_read(context: IngestContext, parsed: ParsedChunks) -> ParsedChunks | None:
    """Recognise the pages that a parser could not read, and return all passages.

    None: the job has moved to the slow lane, which will do it. Without the packages a file keeps what text it has.

    Raises:
        IngestFailed: ocr_not_installed, when there is no text at all.
        ParseError: what the recognising program and the parsers raise.
    """
    if missing := packages_missing():
        if parsed.drafts:
            return parsed
        raise IngestFailed("ocr_not_installed", details={"seen": f"without {', '.join(missing)}"})
    if context.job.lease.kind.kind != INGEST_SCAN:
        context.job.move(INGEST_SCAN)
        return None
    pages = _recognise(context, parsed)
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.writelines(orjson.dumps(page) + b"\n" for page in pages)
        file.flush()
        assert context.path is not None
        return parse_and_chunk(
            context.path,
            name_hint(context.document.name, context.row.media_type),
            target_tokens=context.row.organisation.chunk_tokens,
            overlap_tokens=context.row.organisation.chunk_overlap,
            max_tokens=context.max_tokens,
            counter=context.space.model,
            should_stop=context.job.stop.is_set,
            scans=Path(file.name),
        )


def _recognise(context: IngestContext, parsed: ParsedChunks) -> Iterable[dict[str, Any]]:
    """Return the recognised pages, those of an earlier worker first."""
    pages = _stored(context)
    wanted = pages_wanted(parsed.warnings)
    saved = time.monotonic()
    assert context.path is not None
    for page in pages_recognise(
        context.path, parsed.media_type, pages=wanted, skipped=list(pages), should_stop=context.job.stop.is_set
    ):
        pages[page["page"]] = page
        context.check()
        context.job.progress(Step.PARSE, len(pages) / max(1, len(wanted) or page["count"]))
        if time.monotonic() - saved > SAVE_S:
            _save(context, parsed.media_type, pages)
            saved = time.monotonic()
    return pages.values()


def _stored(context: IngestContext) -> dict[int, dict[str, Any]]:
    row = VersionText.objects.filter(version=context.version).first()
    stored = orjson.loads(zlib.decompress(row.blocks)).get(_READING, ()) if row else ()
    return {page["page"]: page for page in stored}


def _save(context: IngestContext, media_type: str, pages: dict[int, dict[str, Any]]) -> None:
    """Store the pages so far with an empty text, which readers of a version that is being built expect."""
    blocks = orjson.loads(blocks_to_json(Parsed((), media_type)))
    stored = zlib.compress(orjson.dumps({**blocks, _READING: list(pages.values())}), 6)
    with context.job.keep():
        VersionText.objects.update_or_create(
            version_id=context.version, defaults={"organisation_id": context.organisation, "blocks": stored}
        )
