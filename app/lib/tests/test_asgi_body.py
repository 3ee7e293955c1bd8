from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import Settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from app.errors import RefdeskError
from app.lib.asgi import body as request_body
from app.lib.asgi.handler import FRAME_BYTES, RequestThreads

MOST = 300_000
BOUNDARY = "b0undary"


def files(request: HttpRequest) -> JsonResponse:
    try:
        found = [[file.name, len(file.read())] for file in request.FILES.getlist("file")]
    except RefdeskError as error:
        return JsonResponse({"code": error.code}, status=error.status)
    return JsonResponse({"files": found})


def body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


urlpatterns = [path("files", files), path("body", body)]


@pytest.fixture(autouse=True)
def application(settings: Settings, tmp_path: Path) -> RequestThreads:
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.DATA = __name__, [], tmp_path
    return RequestThreads({"/files": MOST})


def form(*given: tuple[str, bytes]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in given
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def post(application: RequestThreads, where: str, data: bytes, *, announced: bool = False) -> tuple[int, bytes]:
    """Sent in chunks, without a Content-Length unless `announced`."""
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
    answer: dict[str, Any] = await talk.receive_output(5)
    await talk.wait(5)
    return head["status"], bytes(answer["body"])


async def test_a_body_in_chunks_without_a_length_keeps_its_files(application: RequestThreads) -> None:
    status, answer = await post(application, "/files", form(("a.txt", b"x" * 100_000)))
    assert (status, answer) == (200, b'{"files": [["a.txt", 100000]]}')


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
async def test_no_file_is_lost_by_its_name(application: RequestThreads, name: str, kept: str) -> None:
    status, answer = await post(application, "/files", form((name, b"x" * 100_000), ("b.txt", b"y")))
    assert (status, JsonResponse({"files": [[kept, 100_000], ["b.txt", 1]]}).content) == (200, answer)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(("where", "most"), [("/files", MOST), ("/body", 2 * 1024 * 1024 + FRAME_BYTES)])
async def test_more_than_a_path_takes_is_refused_and_not_kept(
    application: RequestThreads, where: str, most: int, announced: bool
) -> None:
    status, _ = await post(application, where, form(("a.txt", b"x" * most)), announced=announced)
    assert status == 400  # the API answers 413; this is Django's own page
    assert list(request_body.folder_incoming().iterdir()) == []


async def test_nobody_is_told_about_a_body_before_it_is_known_who_calls(application: RequestThreads) -> None:
    assert (await post(application, "/nothing", b"x" * 5_000_000))[0] == 404


async def test_a_disk_without_room_is_named(application: RequestThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "KEEP_FREE_BYTES", 2**60)
    status, answer = await post(application, "/files", form(("a.txt", b"x" * 100_000)))
    assert (status, answer) == (507, b'{"code": "disk_full"}')
    assert (await post(application, "/files", form(("a.txt", b"small"))))[0] == 200


async def test_a_file_beyond_the_limit_is_cut_where_the_limit_is_seen(
    application: RequestThreads, settings: Settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    _, answer = await post(application, "/files", form(("a.txt", b"x" * 290_000)))
    size = int(answer.split(b", ")[1].strip(b"]}"))
    assert 100_000 < size < 290_000
