"""The egress policy: no spelling of an inner address is requested, and an inner listener sees no connection."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest

from app import env
from app.lib.egress import AddressRefused, addresses_check, url_check
from app.lib.egress_http import EgressConnector, Lookup, host_resolve
from app.lib.egress_rules import allowed_read
from app.lib.http import RequestFailed, RetriedRequest, http_session

PUBLIC = "93.184.215.14"
# Every address below means this machine, its network or a cloud's own services, at least to some program.
_LOOPBACK = """
127.0.0.1 127.0.0.2 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0x7F.0x0.0x0.0x1 017700000001 0177.0.0.1 00177.0.0.1
127.0.0.1. 0 0.0.0.0 0x0 127.000.000.001 127.0.0.01 4294967295 0x100000000 localhost LOCALHOST
localhost. db.localhost localhost.localdomain [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[0:0:0:0:0:ffff:7f00:1] [::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1]
[2002:7f00:1::] [2002:7f00:0001::1] [2001:0:4136:e378:8000:63bf:80ff:fffe] [::1%25lo] [fe80::1%25eth0] [fe80::1]
"""
_INNER = """
10.0.0.1 172.16.0.1 172.31.255.254 192.168.0.1 100.64.0.1 100.127.255.254 169.254.0.1 198.18.0.1 192.0.0.8 192.0.2.1
198.51.100.1 203.0.113.9 192.88.99.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 192.31.196.1 192.52.193.1
192.175.48.1 [fc00::1] [fd12:3456::1] [fec0::1] [ff02::1] [5f00::1] [100::1] [2001:db8::1] [3fff::1] [2001:2::1]
[2001:10::1] [2620:4f:8000::1] [4000::1] [64:ff9b::10.0.0.1] [::ffff:192.168.0.1] postgres redis qdrant minio web
db.internal printer.local nas.lan router.home ollama.corp x.home.arpa
"""
_METADATA = """
169.254.169.254 [::ffff:169.254.169.254] [64:ff9b::a9fe:a9fe] [fd00:ec2::254] 100.100.100.200 192.0.0.192 168.63.129.16
169.254.170.2 [fd20:ce::254] metadata.google.internal
"""
HOSTS = [*_LOOPBACK.split(), *_INNER.split(), *_METADATA.split()]
_WHOLE = """
file:///etc/passwd ftp://example.org/ gopher://example.org/ data:text/plain,x javascript:alert(1) //example.org/
example.org ws://example.org/ http:/example.org http:///x http://user@example.org/ http://user:secret@example.org/
http://example.org@127.0.0.1/ http://example.org:22/ http://example.org:0/ http://example.org:99999/
http://example.org:x/ http://example.org\\@127.0.0.1/ http://127.0.0.1\\@example.org/ http://exa%6dple.org/
http://127.0.0.1%2f@example.org/ http://例え.jp/ http://ⓛocalhost/ http://１２７.0.0.1/ http://example.org:80:80/
http://[::1/ http://]/ http://-/ http://.../ http://a..b/ http://example..org/ http://exam<ple.org/
"""
BLANK = [
    "",
    " ",
    "http://example.org /",
    "http://exam\tple.org/",
    "http://example.org/\n",
    "http://example.org\x00.evil/",
]
URLS = [*_WHOLE.split(), *BLANK, "http://" + "a" * 3000, "http://" + "a." * 200 + "org/"]


@pytest.fixture(autouse=True)
def nothing_allowed(settings: Any) -> None:
    settings.EGRESS_ALLOW = ""


def passing(urls: list[str]) -> list[str]:
    """Return addresses that are not refused, or whose refusal repeats where they lead."""
    found = []
    for url in urls:
        try:
            url_check(url)
        except AddressRefused as refused:
            found += [url] if "127.0.0.1" in refused.message else []
        else:
            found.append(url)
    return found


def test_an_address_that_is_not_plain_is_refused() -> None:
    assert len(URLS) > 35
    assert passing(URLS) == []


def test_a_host_that_leads_inward_is_refused() -> None:
    assert len(HOSTS) > 80
    assert passing([f"{scheme}://{host}/v1" for scheme in ("http", "https") for host in HOSTS]) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/v1",
        "http://example.org",
        "https://EXAMPLE.org:443/v1?x=1#y",
        "http://example.org:80/",
        "https://example.org./v1",
        "https://xn--bcher-kva.example/",
        "https://a_b.example.org/",
        f"https://{PUBLIC}/v1",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/v1",
        "https://[64:ff9b::5db8:d70e]/v1",
        "https://0x.example.org/",
        "https://1e100.net/",
    ],
)
def test_a_public_address_passes(url: str) -> None:
    url_check(url)


def test_this_machine_s_own_public_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Probe(socket.socket):
        """A socket whose local address is the remote one, as the route to the machine's own address has it."""

        def connect(self, place: Any) -> None:
            self.place = place

        def getsockname(self) -> Any:
            return self.place

    url_check(f"https://{PUBLIC}/")
    monkeypatch.setattr(socket, "socket", Probe)
    with pytest.raises(AddressRefused):
        url_check(f"https://{PUBLIC}/")


def lookup_of(*answers: list[str]) -> Lookup:
    """Return a name service that gives one answer after the other, the last one for ever."""
    left = list(answers)

    async def lookup(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return lookup


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        [PUBLIC, "127.0.0.1"],
        ["10.0.0.1", PUBLIC],
        ["::1"],
        ["fe80::1%eth0"],
        ["::ffff:10.0.0.1"],
        ["::127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::"],
        ["100.100.100.200"],
        ["168.63.129.16"],
        ["fec0::1"],
        ["5f00::1"],
        [],
    ],
)
async def test_a_name_with_one_inner_address_among_its_answers_is_refused(answers: list[str]) -> None:
    with pytest.raises(AddressRefused) as refused:
        await host_resolve("rebind.example.org", 443, lookup_of(answers))
    assert [answer for answer in answers if answer in refused.value.message] == []


async def test_a_name_with_public_addresses_only_is_resolved() -> None:
    found = await host_resolve("example.org", 443, lookup_of([PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]))
    assert found == [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


class Listener:
    """A server on this machine that counts connections and responds to every one."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self.redirect = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"302 Found\r\nLocation: {self.redirect}" if self.redirect else "200 OK"
            writer.write(f"HTTP/1.1 {head}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


Asking = Callable[..., Any]


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    """Yield a function that requests an address in a guarded session with the test's own name service."""
    sessions: list[aiohttp.ClientSession] = []

    async def ask(url: str, lookup: Lookup, **options: Any) -> str:
        session = aiohttp.ClientSession(connector=EgressConnector(lookup), trust_env=False)
        sessions.append(session)
        async with session.get(url, **options) as response:
            return await response.text()

    yield ask
    for session in sessions:
        await session.close()


async def test_no_inner_address_is_even_connected_to(listener: Listener, asking: Asking) -> None:
    tried = 0
    for host in [*HOSTS, "rebind.example.org"]:
        for port in (listener.port, 80):
            tried += 1
            # Every name here resolves to the listener.
            with pytest.raises((AddressRefused, aiohttp.InvalidURL, ValueError)):
                await asking(f"http://{host}:{port}/", lookup_of(["127.0.0.1"]))
    assert (tried > 150, listener.connections) == (True, 0)


async def test_the_session_of_http_is_guarded_when_it_is_asked_to_be(listener: Listener) -> None:
    address = f"http://127.0.0.1:{listener.port}/"
    with pytest.raises(AddressRefused):
        await RetriedRequest("GET", address, {}, guarded=True).send_async(within_s=5)
    with pytest.raises(AddressRefused):
        await http_session(guarded=True).get(address)
    assert listener.connections == 0
    assert (await RetriedRequest("GET", address, {}).send_async(within_s=5)).content == b"ok"
    with pytest.raises(ValueError, match="guarded"):
        RetriedRequest("GET", address, {}, guarded=True).send(None, read_s=1)  # type: ignore[arg-type]


async def test_the_connection_goes_to_the_address_that_was_checked(
    listener: Listener, asking: Asking, settings: Any
) -> None:
    settings.EGRESS_ALLOW = "127.0.0.1/32"
    url = f"http://rebind.example.org:{listener.port}/"
    assert await asking(url, lookup_of(["127.0.0.1"], ["10.0.0.1"])) == "ok"
    assert listener.connections == 1
    # A second request resolves the name again, and its answer is checked like the first.
    with pytest.raises(AddressRefused):
        await asking(url, lookup_of(["10.0.0.1"], ["127.0.0.1"]))
    assert listener.connections == 1


@pytest.mark.parametrize(
    "place", ["http://127.0.0.2:{port}/", "http://[::1]:{port}/", "http://inner.example.org:{port}/"]
)
async def test_a_redirect_is_checked_like_a_first_address(
    listener: Listener, asking: Asking, settings: Any, place: str
) -> None:
    settings.EGRESS_ALLOW = "first.example.org"
    listener.redirect = place.format(port=listener.port)
    with pytest.raises(AddressRefused):
        await asking(f"http://first.example.org:{listener.port}/", lookup_of(["127.0.0.1"]))
    assert listener.connections == 1


@pytest.mark.parametrize(
    ("allowed", "url", "passes"),
    [
        ("127.0.0.1", "http://127.0.0.1:{port}/", True),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}/", True),
        ("127.0.0.1:1", "http://127.0.0.1:{port}/", False),
        ("127.0.0.0/8", "http://127.0.0.1:{port}/", True),
        ("10.0.0.0/8", "http://127.0.0.1:{port}/", False),
        ("models", "http://models:{port}/", True),
        ("Models.", "http://models:{port}/", True),
        ("models:{port}, 10.0.0.0/8", "http://models:{port}/", True),
        ("models:1", "http://models:{port}/", False),
        ("models", "http://othermodels:{port}/", False),
        ("example.org", "http://inner.example.org:{port}/", False),
        ("127.0.0.1/32", "http://inner.example.org:{port}/", True),
        ("::1/128", "http://inner.example.org:{port}/", False),
    ],
)
async def test_what_an_operator_allows_is_reached_and_nothing_else(
    listener: Listener, asking: Asking, settings: Any, allowed: str, url: str, passes: bool
) -> None:
    settings.EGRESS_ALLOW = allowed.format(port=listener.port)
    address = url.format(port=listener.port)
    if passes:
        assert await asking(address, lookup_of(["127.0.0.1"])) == "ok"
    else:
        with pytest.raises(AddressRefused):
            await asking(address, lookup_of(["127.0.0.1"]))
    assert listener.connections == passes


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6333, 6379, 8000])
def test_a_public_host_is_asked_at_the_ports_of_the_web_only(port: int, settings: Any) -> None:
    with pytest.raises(AddressRefused, match="port"):
        url_check(f"http://example.org:{port}/")
    settings.EGRESS_ALLOW = "10.0.0.0/8"
    url_check(f"http://example.org:{port}/")
    with pytest.raises(AddressRefused, match="port"):
        addresses_check("example.org", port, [ip_address(PUBLIC)])
    settings.EGRESS_ALLOW = f"example.org:{port}"
    url_check(f"http://example.org:{port}/")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "a b", "http://x", "x:0", "x:y", "*.example.org", "10.0.0.0/33", "-"])
def test_a_setting_that_is_no_list_of_hosts_stops_the_start(text: str) -> None:
    with pytest.raises(env.EnvError, match="REFDESK_EGRESS_ALLOW"):
        env.read("REFDESK_EGRESS_ALLOW", {"REFDESK_EGRESS_ALLOW": text})


def test_a_list_of_hosts_is_read_with_ports_networks_and_both_kinds_of_addresses() -> None:
    allowed = allowed_read("Models:8000, 10.1.0.0/16,[fd00::1]:8000,fd00:0::2,fd01::/32,desk.example.org")
    assert allowed.hosts == {"fd00::2", "desk.example.org"}
    assert allowed.ports == {("models", 8000), ("fd00::1", 8000)}
    assert [str(network) for network in allowed.networks] == ["10.1.0.0/16", "fd01::/32"]


async def test_a_response_without_end_is_given_up() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        with pytest.raises(RequestFailed, match="ClientPayloadError"):
            await RetriedRequest("GET", address, {}, attempts=1).send_async(within_s=60)
