"""Receive a request's body with a size limit, on the disk of the stored files.

Django would accept any number of bytes from anybody into /tmp (which is memory on many systems), and without a
Content-Length it would see no files and no limit.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import RequestAborted, RequestDataTooBig
from django.core.handlers.asgi import ASGIRequest
from django.utils.datastructures import ImmutableList

from app.errors import RefdeskError
from app.lib.asgi.form import Form, form_parse
from app.lib.storage.staging import IN_MEMORY_BYTES, disk_full_named, disk_space_check


def folder_incoming() -> Path:
    folder: Path = settings.DATA / "objects" / "incoming"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


class _SpooledFile(tempfile.SpooledTemporaryFile[bytes]):
    """A file in memory that moves to the folder of incoming files when it grows; only then is the folder created.

    Most bodies are small, and checking that the folder exists took a thirtieth of a turn.
    """

    def rollover(self) -> None:
        folder_incoming()
        super().rollover()


@contextmanager
def _disk_reserve_kept(size: int) -> Iterator[None]:
    """Keep the disk's reserve free. Raises RefdeskError: disk_full, when too little space is left."""
    with disk_full_named():
        if size > IN_MEMORY_BYTES:
            disk_space_check(folder_incoming(), wanted=0, reserve=settings.DISK_RESERVE_BYTES)
        yield


def _temporary() -> IO[bytes]:
    """Open a temporary file without a name on the disk, so that a killed process leaves no file behind."""
    return _SpooledFile(max_size=IN_MEMORY_BYTES, dir=f"{settings.DATA}/objects/incoming")


class RefusedBody:
    """A refused body: reading it raises the error, after the caller has been authenticated."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, *_: Any) -> bytes:
        raise self.error

    readline = read

    def close(self) -> None:
        """Do nothing: no resource is open."""


class BodyReceiver:
    """ASGI's `receive` of one request. After a refusal the rest of the body is read and discarded.

    form: the content type of a form that may bring files, else empty.
    """

    def __init__(self, receive: Callable[[], Awaitable[Any]], most: int, *, form: str = "") -> None:
        self._receive = receive
        self.most, self.form = most, form
        self.refused = False
        self.dropped = False

    async def __call__(self) -> Any:
        message = await self._receive()
        while self.refused and message["type"] == "http.request":
            message = await self._receive()
        if self.dropped:
            # The request was cancelled before its end, so nobody waits for a message: never return one.
            await asyncio.get_running_loop().create_future()
        return message


async def body_read(receiver: BodyReceiver) -> IO[bytes] | RefusedBody | Form:
    """Return the body; the body of a form with files as a `Form` when it is larger than IN_MEMORY_BYTES.

    Raises RequestAborted when the client disconnects first.
    """
    body = _temporary()
    size, more = 0, True
    while more:
        data, more = await _next(receiver, body)
        size += len(data)
        try:
            if size > receiver.most:
                raise RequestDataTooBig(size)
            if receiver.form and size > IN_MEMORY_BYTES:
                body.seek(0)
                start = body.read() + data
                body.close()
                return await _form_read(receiver, start, more=more)
            with _disk_reserve_kept(size):
                body.write(data)
        except (RequestDataTooBig, RefdeskError) as error:
            body.close()
            receiver.refused = True
            return RefusedBody(error)
    body.seek(0)
    return body


async def _form_read(receiver: BodyReceiver, data: bytes, *, more: bool) -> Form | RefusedBody:
    form, size, aborted = Form(receiver.form), len(data), True
    try:
        await form.feed(data)
        while more and not form.ended:
            data, more = await _next(receiver)
            size += len(data)
            if size > receiver.most:
                receiver.refused = True
                return RefusedBody(RequestDataTooBig(size))
            await form.feed(data)
        # If the parser stopped before the last byte, the rest is read and discarded.
        receiver.refused = more
        aborted = False
    finally:
        await form.finish(aborted=aborted)
        if aborted:
            form.close()
    return form


async def _next(receiver: BodyReceiver, body: IO[bytes] | None = None) -> tuple[bytes, bool]:
    """Return the next data, and whether more follows. Raises RequestAborted."""
    message = await receiver()
    if message["type"] == "http.disconnect":
        if body is not None:
            body.close()
        raise RequestAborted
    return message.get("body", b""), message.get("more_body", False)


class BodyRequest(ASGIRequest):
    """A request whose CONTENT_LENGTH is the received size, whether or not the body came in chunks."""

    def __init__(self, scope: Any, body_file: IO[bytes] | RefusedBody | Form) -> None:
        super().__init__(scope, cast("IO[bytes]", body_file))
        self._form = body_file if isinstance(body_file, Form) else None
        if isinstance(body_file, RefusedBody | Form):
            self.META["CONTENT_LENGTH"] = "1"
        else:
            size = body_file.seek(0, os.SEEK_END)
            body_file.seek(0)
            if size or "CONTENT_LENGTH" in self.META:
                self.META["CONTENT_LENGTH"] = str(size)

    def parse_file_upload(self, META: Any, post_data: Any) -> Any:  # noqa: N803 (Django's)
        self.upload_handlers = ImmutableList(self.upload_handlers, warning="The files have been read.")
        if self._form is not None:
            return self._form.parts()
        return form_parse(META, post_data, self.upload_handlers, self.encoding)
