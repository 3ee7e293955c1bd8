"""A request's body while it arrives, and the files in it: bounded, on the disk of the stored files, none lost by its
name.

Django would take any number of bytes from anybody into /tmp (which is memory on many systems), and without a
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
def _room_kept(size: int) -> Iterator[None]:
    """Raises RefdeskError: disk_full, when what is on the disk leaves too little."""
    try:
        if size > IN_MEMORY_BYTES and shutil.disk_usage(folder_incoming()).free < KEEP_FREE_BYTES:
            raise RefdeskError("disk_full")
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefdeskError("disk_full") from error
        raise


def _temporary() -> IO[bytes]:
    """Without a name on the disk: a killed process leaves nothing."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=str(folder_incoming()))


class Refused:
    """In the place of a body that was not taken: who reads it is told why, after the checks of who calls."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, *_: Any) -> bytes:
        raise self.error

    readline = read

    def close(self) -> None:
        """Nothing is open."""


class Arriving:
    """ASGI's `receive` of one request. After a refusal the rest of the body is taken and dropped."""

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
            # Who listened has ended without the rest of its request, and an end of it would be nobody's to notice.
            await asyncio.get_running_loop().create_future()
        return message


async def body_read(arriving: Arriving) -> IO[bytes] | Refused:
    """Raises RequestAborted when the sender leaves first."""
    body = _temporary()
    size, more = 0, True
    while more:
        message = await arriving()
        if message["type"] == "http.disconnect":
            body.close()
            raise RequestAborted
        data = message.get("body", b"")
        size += len(data)
        more = message.get("more_body", False)
        try:
            if size > arriving.most:
                raise RequestDataTooBig(size)
            with _room_kept(size):
                body.write(data)
        except (RequestDataTooBig, RefdeskError) as error:
            body.close()
            arriving.refused = True
            return Refused(error)
    body.seek(0)
    return body


class BodyRequest(ASGIRequest):
    """A request whose CONTENT_LENGTH is what arrived, sent in chunks or not."""

    def __init__(self, scope: Any, body_file: IO[bytes] | Refused) -> None:
        super().__init__(scope, cast("IO[bytes]", body_file))
        if isinstance(body_file, Refused):
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
    """Django leaves out a file named `..`, and takes from names what emoji and several scripts are joined with."""

    def sanitize_file_name(self, file_name: str) -> str:
        name = file_name.replace("\\", "/").rpartition("/")[2]
        return name if name.strip(". ") else UNNAMED


class UploadHandler(FileUploadHandler):
    """Each file beside the stored ones until it is stored; of one that is too large only the proof of it."""

    _file: IO[bytes]

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._file = _temporary()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start <= settings.UPLOAD_MAX_BYTES:
            with _room_kept(start + len(raw_data)):
                self._file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        self._file.seek(0)
        return UploadedFile(self._file, self.file_name, self.content_type, file_size, self.charset)
