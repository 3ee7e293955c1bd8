"""A request's body and its files: bounded, on the disk of the stored files, none lost because of its
name.

Django would accept any number of bytes from anybody into /tmp (which is memory on many systems), and without a
Content-Length it would see no files and no limit.
"""

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import RequestAborted, RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.core.handlers.asgi import ASGIRequest
from django.http.multipartparser import MultiPartParser
from django.utils.datastructures import ImmutableList

from app.errors import RefdeskError
from app.lib.storage import KEEP_FREE_BYTES

IN_MEMORY_BYTES = 64 * 1024
UNNAMED = "file"


def folder_incoming() -> Path:
    folder: Path = settings.DATA / "objects" / "incoming"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def _disk_reserve_kept(size: int) -> Iterator[None]:
    """Keep the disk's reserve free. Raises RefdeskError: disk_full, when too little room is left."""
    try:
        if size > IN_MEMORY_BYTES and shutil.disk_usage(folder_incoming()).free < KEEP_FREE_BYTES:
            raise RefdeskError("disk_full")
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefdeskError("disk_full") from error
        raise


def _temporary() -> IO[bytes]:
    """Open a temporary file without a name on the disk, so that a killed process leaves nothing."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=str(folder_incoming()))


class RefusedBody:
    """A refused body: reading it raises the error, after the caller has been authenticated."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, *_: Any) -> bytes:
        raise self.error

    readline = read

    def close(self) -> None:
        """Do nothing: nothing is open."""


class BodyReceiver:
    """ASGI's `receive` of one request. After a refusal it reads the rest of the body and drops it."""

    def __init__(self, receive: Callable[[], Awaitable[Any]], most: int) -> None:
        self._receive = receive
        self.most = most
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


async def body_read(receiver: BodyReceiver) -> IO[bytes] | RefusedBody:
    """Read the body into a file. Raises RequestAborted when the sender disconnects first."""
    body = _temporary()
    size, more = 0, True
    while more:
        message = await receiver()
        if message["type"] == "http.disconnect":
            body.close()
            raise RequestAborted
        data = message.get("body", b"")
        size += len(data)
        more = message.get("more_body", False)
        try:
            if size > receiver.most:
                raise RequestDataTooBig(size)
            with _disk_reserve_kept(size):
                body.write(data)
        except (RequestDataTooBig, RefdeskError) as error:
            body.close()
            receiver.refused = True
            return RefusedBody(error)
    body.seek(0)
    return body


class BodyRequest(ASGIRequest):
    """A request whose CONTENT_LENGTH is the received size, sent in chunks or not."""

    def __init__(self, scope: Any, body_file: IO[bytes] | RefusedBody) -> None:
        super().__init__(scope, cast("IO[bytes]", body_file))
        if isinstance(body_file, RefusedBody):
            self.META["CONTENT_LENGTH"] = "1"
        else:
            size = body_file.seek(0, os.SEEK_END)
            body_file.seek(0)
            if size or "CONTENT_LENGTH" in self.META:
                self.META["CONTENT_LENGTH"] = str(size)

    def parse_file_upload(self, META: Any, post_data: Any) -> Any:  # noqa: N803 (Django's)
        self.upload_handlers = ImmutableList(self.upload_handlers, warning="The files have been read.")
        return FilesParser(META, post_data, self.upload_handlers, self.encoding).parse()


class FilesParser(MultiPartParser):
    """A parser that keeps a file named `..`, and joiners of emoji and scripts in names, unlike Django's."""

    def sanitize_file_name(self, file_name: str) -> str:
        name = file_name.replace("\\", "/").rpartition("/")[2]
        return name if name.strip(". ") else UNNAMED


class UploadHandler(FileUploadHandler):
    """A handler that puts each file into the staging folder; a file that is too large is cut just above the limit."""

    _file: IO[bytes]

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._file = _temporary()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start <= settings.UPLOAD_MAX_BYTES:
            with _disk_reserve_kept(start + len(raw_data)):
                self._file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        self._file.seek(0)
        return UploadedFile(self._file, self.file_name, self.content_type, file_size, self.charset)
