import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from app.lib.trace import trace_now, traceparent_read

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{PARENT}-01"


def show(request: HttpRequest) -> HttpResponse:
    trace = trace_now()
    return HttpResponse(f"{trace.trace_id} {trace.request_id} {trace.client_id}")


urlpatterns = [path("show", show)]


@pytest.fixture(autouse=True)
def _urls(settings: pytest.FixtureRequest) -> None:
    settings.ROOT_URLCONF = __name__  # type: ignore[attr-defined]


@pytest.mark.parametrize("header", [VALID, f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-what-comes-next"])
def test_a_valid_traceparent_gives_its_trace(header: str) -> None:
    assert traceparent_read(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01\n",
        f"cc-{TRACE}-{PARENT}-01x",
        f"00-{TRACE}-{PARENT}",
    ],
)
def test_another_header_gives_none(header: str) -> None:
    assert traceparent_read(header) == ""


def test_a_request_goes_on_with_its_caller_s_trace_and_has_an_id_of_its_own() -> None:
    response = Client().get("/show", headers={"traceparent": VALID})
    trace, request = response.content.decode().split()
    assert (trace, request) == (TRACE, response["X-Request-ID"])
    assert request != TRACE


@pytest.mark.parametrize("header", [None, "00-wrong"])
def test_a_request_without_a_trace_begins_one(header: str | None) -> None:
    headers = {"traceparent": header} if header else {}
    response = Client().get("/show", headers=headers)
    trace, request = response.content.decode().split()
    assert trace == request == response["X-Request-ID"]
    assert len(trace) == 32
    assert trace_now().trace_id == ""
