"""Files that people uploaded, sent back so that no browser ever runs what is in them."""

from collections.abc import AsyncIterator
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import FileResponse
from django.utils.http import content_disposition_header

SENT_BYTES = 256 * 1024
# Even opened by itself, the file may run, load and embed nothing, and has no origin to act from.
CONTENT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


async def _parts(file: BinaryIO) -> AsyncIterator[bytes]:
    # A slow reader must not hold a connection that others wait for.
    await sync_to_async(connections.close_all)()
    try:
        while part := await sync_to_async(file.read, thread_sensitive=False)(SENT_BYTES):
            yield part
    finally:
        file.close()


def file_answer(file: BinaryIO, *, name: str, media_type: str, size: int) -> FileResponse:
    """The file as a download, streamed."""
    response = FileResponse(_parts(file), content_type=media_type or "application/octet-stream")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = CONTENT_POLICY
    response["Cache-Control"] = "private, no-cache"
    return response
