import asyncio
import hashlib
import os
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import Settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from app.errors import RefdeskError
from app.lib.asgi import body as request_body
from app.lib.asgi.handler import FRAME_BYTES, ThreadReusingHandler
from app.lib.storage import staging, storage
from tests.waiting import wait_until

MOST = 300_000
ORGANISATION = uuid4()
BOUNDARY = "b0undary"


def files(request: HttpRequest) -> JsonResponse:
    try:
        uploads = request.FILES.getlist("file")
    except RefdeskError as error:
        return JsonResponse({"code": error.code}, status=error.status)
    sizes = [[each.name, "too large" if each.file.too_large else len(each.read())] for each in uploads]
    return JsonResponse({"files": sizes, **request.POST.dict()})


def store(request: HttpRequest) -> JsonResponse:
    """Store the files as the API does."""
    keys = []
    for each in request.FILES.getlist("file"):
        with storage().stage(each.file, organisation=ORGANISATION, limit=MOST) as upload:
            upload.commit()
            keys.append(upload.key)
    return JsonResponse({"keys": keys})


def body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


urlpatterns = [path("files", files), path("store", store), path("body", body)]


@pytest.fixture(autouse=True)
def application(settings: Settings, tmp_path: Path) -> ThreadReusingHandler:
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.DATA = __name__, [], tmp_path
    return ThreadReusingHandler({"/files": MOST, "/store": 50_000_000})


def form(*given: tuple[str, bytes]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in given
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def post(
    application: ThreadReusingHandler, where: str, data: bytes, *, announced: bool = False
) -> tuple[int, bytes]:
    """Post in chunks, without a Content-Length unless `announced`."""
    headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
    if announced:
        headers.append((b"content-length", str(len(data)).encode()))
    scope = {"type": "http", "method": "POST", "path": where, "headers": headers, "query_string": b"",
             "http_version": "1.1"}  # fmt: skip
    talk = ApplicationCommunicator(application, scope)
    for start in range(0, len(data), 60_000):
        await talk.send_input({"type": "http.request", "body": data[start : start + 60_000], "more_body": True})
    await talk.send_input({"type": "http.request", "body": b"", "more_body": False})
    head = await talk.receive_output(5)
    response: dict[str, Any] = await talk.receive_output(5)
    await talk.wait(5)
    return head["status"], bytes(response["body"])


async def test_a_body_in_chunks_without_a_length_keeps_its_files(application: ThreadReusingHandler) -> None:
    status, response = await post(application, "/files", form(("a.txt", b"x" * 100_000)))
    assert (status, response) == (200, b'{"files": [["a.txt", 100000]]}')


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("..", "file"),
        ("/", "file"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\papers\\plan.txt", "plan.txt"),
        ("Dr. " + "n" * 240, "Dr. " + "n" * 240),
        ("flag \U0001f3f3\ufe0f\u200d\U0001f308.md", "flag \U0001f3f3\ufe0f\u200d\U0001f308.md"),
    ],
)
async def test_no_file_is_lost_by_its_name(application: ThreadReusingHandler, name: str, kept: str) -> None:
    status, response = await post(application, "/files", form((name, b"x" * 100_000), ("b.txt", b"y")))
    assert (status, JsonResponse({"files": [[kept, 100_000], ["b.txt", 1]]}).content) == (200, response)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(("where", "most"), [("/files", MOST), ("/body", 2 * 1024 * 1024 + FRAME_BYTES)])
async def test_more_than_a_path_takes_is_refused_and_not_kept(
    application: ThreadReusingHandler, where: str, most: int, announced: bool
) -> None:
    status, _ = await post(application, where, form(("a.txt", b"x" * most)), announced=announced)
    assert status == 400  # the API answers 413; this is Django's own page
    assert list(request_body.folder_incoming().iterdir()) == []


async def test_nobody_is_told_about_a_body_before_it_is_known_who_calls(application: ThreadReusingHandler) -> None:
    assert (await post(application, "/nothing", b"x" * 5_000_000))[0] == 404


def written() -> int:
    """Return the bytes that this process has handed to write calls so far."""
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


async def test_an_upload_is_written_to_the_disk_once(
    application: ThreadReusingHandler, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "MOST", 50_000_000)
    data = os.urandom(20_000_000)
    before = written()
    status, answer = await post(application, "/store", form(("a.bin", data)))
    assert 1 <= (written() - before) / len(data) < 1.05
    digest = hashlib.sha256(data).hexdigest()
    key = f"{ORGANISATION}/{digest[:2]}/{digest}"
    assert (status, answer) == (200, JsonResponse({"keys": [key]}).content)
    assert (settings.DATA / "objects" / key).read_bytes() == data
    assert list(request_body.folder_incoming().iterdir()) == []


async def test_fields_beside_a_large_file_are_kept(application: ThreadReusingHandler) -> None:
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="source"\r\n\r\nPrices\r\n'.encode()
    status, answer = await post(application, "/files", field + form(("a.txt", b"x" * 200_000)))
    assert (status, answer) == (200, b'{"files": [["a.txt", 200000]], "source": "Prices"}')


def request_threads() -> int:
    return sum(thread.name.startswith("request") for thread in threading.enumerate())


async def test_a_sender_who_leaves_leaves_no_file_and_no_thread(application: ThreadReusingHandler) -> None:
    headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/files", "headers": headers, "query_string": b"",
             "http_version": "1.1"}  # fmt: skip
    before = request_threads()
    for _ in range(3):
        talk = ApplicationCommunicator(application, scope)
        start = form(("a.txt", b"x" * 200_000))[:150_000]
        await talk.send_input({"type": "http.request", "body": start, "more_body": True})
        await asyncio.to_thread(wait_until, lambda: any(request_body.folder_incoming().iterdir()))
        await talk.send_input({"type": "http.disconnect"})
        await talk.wait(5)
        assert list(request_body.folder_incoming().iterdir()) == []
    # The same thread served all three.
    assert (await post(application, "/files", form(("b.txt", b"y" * 100_000))))[0] == 200
    assert request_threads() <= before + 1


async def test_a_form_that_breaks_off_is_a_bad_request(application: ThreadReusingHandler) -> None:
    broken = form(("a.txt", b"x" * 200_000)).replace(b'name="file"', b'name="file\x00', 1)
    status, _ = await post(application, "/files", broken[:-20])
    assert status in (200, 400)
    assert list(request_body.folder_incoming().iterdir()) == []


async def test_a_disk_without_room_is_named(application: ThreadReusingHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging.StagedFile.__init__, "__kwdefaults__", {"limit": None, "keep_free_bytes": 2**60})
    status, answer = await post(application, "/files", form(("a.txt", b"x" * 100_000)))
    assert (status, answer) == (507, b'{"code": "disk_full"}')
    assert (await post(application, "/files", form(("a.txt", b"small"))))[0] == 200


async def test_a_file_beyond_the_limit_is_cut_where_the_limit_is_seen(
    application: ThreadReusingHandler, settings: Settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    status, answer = await post(application, "/files", form(("a.txt", b"x" * 290_000), ("b.txt", b"y")))
    assert (status, answer) == (200, b'{"files": [["a.txt", "too large"], ["b.txt", 1]]}')
    assert list(request_body.folder_incoming().iterdir()) == []


def test_every_route_that_takes_files_takes_one_of_the_largest(settings: Settings) -> None:
    from app.asgi import django_application

    largest = Settings("app.settings").UPLOAD_MAX_BYTES
    for place in ("/api/v1/documents", f"/api/v1/sources/{uuid4()}/documents"):
        assert django_application.file_limit(place) > largest
    for place in ("/api/v1/search", f"/api/v1/sources/{uuid4()}", f"/api/v1/sources/{uuid4()}/documents/x"):
        assert django_application.file_limit(place) == 0


def test_the_folder_is_made_by_the_first_body_that_is_too_large_for_memory(settings: Settings, tmp_path: Path) -> None:
    settings.DATA = tmp_path / "new"
    with request_body._temporary() as body:
        body.write(b"x")
        assert not settings.DATA.exists()
        body.write(b"y" * request_body.IN_MEMORY_BYTES)
        assert (settings.DATA / "objects" / "incoming").is_dir()
        body.seek(0)
        assert body.read() == b"x" + b"y" * request_body.IN_MEMORY_BYTES
