"""The static files, through the application that the web process serves."""

import pytest
from asgiref.testing import ApplicationCommunicator

from app.asgi import application


async def status_of(path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes]]:
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "http_version": "1.1"}
    talk = ApplicationCommunicator(application, scope)
    await talk.send_input({"type": "http.request"})
    head = await talk.receive_output(5)
    while (await talk.receive_output(5)).get("more_body"):
        pass
    await talk.wait(5)
    return head["status"], dict(head["headers"])


async def test_a_file_is_served_as_what_it_is_and_asked_for_again() -> None:
    status, headers = await status_of("/static/refdesk/portal.css")
    assert status == 200
    assert headers[b"content-type"].startswith(b"text/css")
    assert (headers[b"cache-control"], headers[b"x-content-type-options"]) == (b"no-cache", b"nosniff")


@pytest.mark.parametrize(
    "path",
    [
        "/static/nothing.css",
        "/static/refdesk/",
        "/static/",
        "/static/../../manage.py",
        "/static/..\\..\\manage.py",
        "/static//etc/passwd",
        "/static/a\0b",
        "/static/" + "a" * 5000,
    ],
)
async def test_what_is_no_file_of_ours_is_not_there(path: str) -> None:
    assert (await status_of(path))[0] == 404


async def test_files_are_only_read() -> None:
    assert (await status_of("/static/refdesk/portal.css", "POST"))[0] == 405
