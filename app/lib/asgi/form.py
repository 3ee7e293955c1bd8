"""Forms with files, parsed while they arrive: each file is written once, on the disk of the store."""

import asyncio
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import RawPostDataException
from django.http.multipartparser import MultiPartParser

from app.lib.storage.interface import TooLarge
from app.lib.storage.staging import StagedFile

# Chunks of at most 64 KiB that wait for the parser.
CHUNKS_UNDER_WAY = 16
UNNAMED = "file"


class FilesParser(MultiPartParser):
    """A parser that keeps what Django drops: files named `..`, and the joiners in names (emoji, several scripts)."""

    def sanitize_file_name(self, file_name: str) -> str:
        name = file_name.replace("\\", "/").rpartition("/")[2]
        return name if name.strip(". ") else UNNAMED


class UploadHandler(FileUploadHandler):
    """Upload handler that writes each file beside the stored ones. An oversized file is refused by `Storage.stage`."""

    file: StagedFile

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = StagedFile(settings.DATA / "objects" / "incoming", limit=settings.UPLOAD_MAX_BYTES)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with suppress(TooLarge):
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        self.file.seek(0)
        return UploadedFile(self.file, self.file_name, self.content_type, file_size, self.charset)  # type: ignore[arg-type]


class Pipe:
    """Bytes from the event loop to a thread, at most a megabyte in flight."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(CHUNKS_UNDER_WAY)
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._rest = b""
        self._ended = self._aborted = False
        self.left = False

    async def feed(self, data: bytes) -> None:
        """Pass a chunk to the thread when there is room; it is dropped once the reader has stopped."""
        await self._room.acquire()
        if not self.left:
            self._chunks.put(data)

    def end(self, *, aborted: bool = False) -> None:
        """Record that no more bytes will come. aborted: the reader raises RequestAborted."""
        self._aborted = aborted
        self._chunks.put(None)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, in the reading thread; none at the end."""
        while not self._rest and not self._ended:
            chunk = self._chunks.get()
            if chunk is None:
                self._ended = True
                if self._aborted:
                    raise RequestAborted
            else:
                self._loop.call_soon_threadsafe(self._room.release)
                self._rest = chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def leave(self) -> None:
        """Stop reading, in the reading thread, and release a waiting `feed`."""
        self.left = True
        self._loop.call_soon_threadsafe(self._room.release)


class Form:
    """The fields and files of a form, or the error that prevented them, raised after the caller is authenticated."""

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type
        self._parts: tuple[Any, Any] | None = None
        self._error: Exception | None = None
        self._pipe = Pipe()
        self._parsing: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Return whether the parser has stopped; before the last byte this means an error."""
        return self._pipe.left

    async def feed(self, data: bytes) -> None:
        if self._parsing is None:
            # In the request's own thread, which is idle until the body has arrived.
            self._parsing = asyncio.ensure_future(sync_to_async(self._parse)())
        await self._pipe.feed(data)

    async def finish(self, *, aborted: bool = False) -> None:
        self._pipe.end(aborted=aborted)
        if self._parsing is not None:
            await self._parsing

    def _parse(self) -> None:
        handler = UploadHandler()
        # The length of a chunked body is unknown; the parser only distinguishes zero from other lengths.
        meta = {"CONTENT_TYPE": self._content_type, "CONTENT_LENGTH": "1"}
        try:
            self._parts = FilesParser(meta, cast(Any, self._pipe), [handler]).parse()
        except Exception as error:
            self._error = error
            if hasattr(handler, "file"):
                handler.file.close()
        finally:
            self._pipe.leave()

    def parts(self) -> tuple[Any, Any]:
        """Return fields and files. Raises the parser's error."""
        if self._parts is None:
            raise self._error or RequestAborted
        return self._parts

    def read(self, *_: Any) -> bytes:
        """Refuse: the body has been consumed; its parts are available."""
        raise RawPostDataException

    readline = read

    def close(self) -> None:
        files = self._parts[1].lists() if self._parts else []
        for file in [file for _, group in files for file in group]:
            file.close()


def form_parse(meta: Any, body: IO[bytes], handlers: Any, encoding: str | None) -> Any:
    """Return the fields and files of a small form, whose body has been read."""
    return FilesParser(meta, cast(Any, body), handlers, encoding).parse()
