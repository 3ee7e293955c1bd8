import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from app.embedded.ports import port_find
from app.lib.http import http_session_close
from app.llm.endpoint import Endpoint
from app.llm.exchange import (
    Exchange,
    ExchangeFailed,
    RequestPolicy,
    WireRequest,
    content_of,
    exchange_run,
    exchange_run_async,
)
from app.llm.tests.fake_server import FakeServer, serving

QUICK = RequestPolicy(attempts=1, timeout_s=5.0, headers={"X-Priority": "question"})


def sum_of(endpoint: Endpoint, numbers: list[int]) -> Exchange[list[Any]]:
    """Make two requests, the second with content of the first response."""
    body = str(numbers).encode()
    first = content_of((yield WireRequest(f"{endpoint.url}/sum", b'{"of": %s}' % body)), endpoint)
    second = content_of((yield WireRequest(f"{endpoint.url}/sum", b'{"of": %s}' % first)), endpoint)
    models = yield WireRequest(f"{endpoint.url}/models")
    return [first, second, models.status]


def may_be_away(url: str, *, optional: bool) -> Exchange[int]:
    response = yield WireRequest(url, optional=optional)
    return response.status


@pytest.fixture(params=["thread", "event loop"])
def run(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Run an exchange from a thread, or from an event loop."""

    def run_sync(exchange: Exchange[Any], endpoint: Endpoint) -> Any:
        with urllib3.PoolManager(retries=False) as pool:
            return exchange_run(exchange, endpoint=endpoint, policy=QUICK, pool=pool)

    async def run_async(exchange: Exchange[Any], endpoint: Endpoint) -> Any:
        try:
            return await exchange_run_async(exchange, endpoint=endpoint, policy=QUICK)
        finally:
            await http_session_close()

    if request.param == "thread":
        yield run_sync
    else:
        yield lambda exchange, endpoint: asyncio.run(run_async(exchange, endpoint))


def test_an_exchange_is_the_same_in_a_thread_and_in_an_event_loop(run: Any) -> None:
    with serving(FakeServer(lambda body: (200, [sum(body["of"])], {}))) as server:
        endpoint = Endpoint(server.url, api_key="sesame")
        assert run(sum_of(endpoint, [1, 2, 3]), endpoint) == [b"[6]", b"[6]", 200]
    assert server.bodies == [{"of": [1, 2, 3]}, {"of": [6]}]
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer sesame"}
    assert {headers["X-Priority"] for headers in server.headers} == {"question"}


def test_a_refusal_ends_an_exchange_that_needs_the_content(run: Any) -> None:
    with serving(FakeServer(lambda _: (418, b"sesame opens no teapot", {}))) as server:
        endpoint = Endpoint(server.url, api_key="sesame")
        with pytest.raises(ExchangeFailed) as caught:
            run(sum_of(endpoint, [1]), endpoint)
    assert (caught.value.reason, caught.value.reply) == ("HTTP 418", "*** opens no teapot")
    assert len(server.bodies) == 1


def test_a_server_that_is_away_fails_what_is_needed_and_not_what_is_optional(run: Any) -> None:
    url = f"http://127.0.0.1:{port_find(None)}/v1"
    assert run(may_be_away(url, optional=True), Endpoint(url)) == 0
    with pytest.raises(ExchangeFailed) as caught:
        run(may_be_away(url, optional=False), Endpoint(url))
    assert "Connect" in caught.value.reason


def test_a_busy_server_says_when_to_come_back(run: Any) -> None:
    with serving(FakeServer(lambda _: (429, {}, {"Retry-After": "7"}))) as server:
        endpoint = Endpoint(server.url)
        with pytest.raises(ExchangeFailed) as caught:
            run(sum_of(endpoint, [1]), endpoint)
    assert (caught.value.reason, caught.value.retry_after_s) == ("HTTP 429", 7)
