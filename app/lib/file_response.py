"""Responses with uploaded files, whose content browsers never execute."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import FileResponse, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.http import content_disposition_header

from app.errors import Upstream
from app.lib.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

PART_BYTES = 256 * 1024
# Even opened directly, the file may run, load and embed nothing, and has no origin.
CONTENT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
# A resumed download requests one range; a request for several gets the whole file.
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


async def _parts(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    # A slow client must not hold a connection that other requests need.
    await sync_to_async(connections.close_all)()
    try:
        while size and (part := await sync_to_async(file.read, thread_sensitive=False)(min(PART_BYTES, size))):
            size -= len(part)
            yield part
    except (Upstream, ObjectMissing) as error:
        log.warning("a download broke off: %s", error)
        # The status has been sent. Cancelling closes the connection before all of Content-Length has been sent, which
        # every client treats as a failure.
        raise asyncio.CancelledError from error
    finally:
        file.close()


def _range_requested(request: HttpRequest, size: int, tag: str) -> tuple[int, int] | None:
    """Return first byte and number of bytes; None for the whole file, also where the range is invalid."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or request.headers.get("If-Range", tag) != tag:
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    elif last:
        start, end = max(0, size - int(last)), size - 1
    else:
        return None
    return (start, end - start + 1) if start <= end else None


def stored_file_response(
    request: HttpRequest, store: Storage, key: str, *, name: str, media_type: str, size: int
) -> HttpResponseBase:
    """Return a stored file as a download: streamed, or by a redirect to the store where browsers reach it.

    Raises:
        ObjectMissing, Upstream: storage_unavailable.
    """
    disposition = content_disposition_header(True, name) or "attachment"
    media_type = media_type or "application/octet-stream"
    response: HttpResponseBase
    if address := store.download_address(key, disposition=disposition, media_type=media_type):
        response = HttpResponseRedirect(address)
        response["Cache-Control"] = "no-store"
        return response
    # The key ends with the hash of the bytes.
    tag = f'"{key.rpartition("/")[2]}"'
    file, requested = store.open(key), _range_requested(request, size, tag)
    first, length = requested or (0, size)
    if requested:
        file.seek(first)
    response = FileResponse(_parts(file, length), content_type=media_type, status=206 if requested else 200)
    if requested:
        response["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = tag
    response["Content-Length"] = str(length)
    response["Content-Disposition"] = disposition
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = CONTENT_POLICY
    response["Cache-Control"] = "private, no-cache"
    return response
