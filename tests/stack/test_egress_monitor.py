"""The egress monitor reads DNS questions and tells parts of the stack from the rest."""

import ipaddress
import socket
import struct

from tests.stack.egress_monitor import EgressMonitor, dns_name


def packet(source: str, to: str, port: int, body: bytes, *, protocol: int = 17) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(body), 0, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(to))  # fmt: skip
    return head + struct.pack("!HHHH", 40000, port, 8 + len(body), 0) + body


def question(name: str, *, answer: bool = False) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x8180 if answer else 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def watch() -> EgressMonitor:
    """Return a monitor that follows no engine, to judge packets."""
    made = EgressMonitor.__new__(EgressMonitor)
    made._known = {"web"}
    made._subnets = [ipaddress.ip_network("172.20.0.0/16")]
    return made


def test_a_question_is_read_and_an_answer_is_none() -> None:
    assert dns_name(packet("172.20.0.2", "9.9.9.9", 53, question("Config.Example.org"))) == "config.example.org"
    assert dns_name(packet("172.20.0.2", "9.9.9.9", 53, question("a.example", answer=True))) == ""
    assert dns_name(packet("172.20.0.2", "9.9.9.9", 443, b"\x16\x03")) == ""


def test_only_what_leaves_the_stack_is_told() -> None:
    leaving = watch()._leaving
    assert leaving(packet("172.20.0.2", "9.9.9.9", 53, question("config.example.org"))) == (
        "asked 9.9.9.9 for config.example.org"
    )
    assert leaving(packet("172.20.0.2", "192.0.2.1", 443, b"")) == "sent a packet to 192.0.2.1"
    assert leaving(packet("172.20.0.2", "172.20.0.3", 443, b"")) == ""
    assert leaving(packet("172.20.0.2", "9.9.9.9", 53, question("web"))) == ""
    assert leaving(packet("172.20.0.2", "224.0.0.1", 443, b"")) == ""
    # Another stack's.
    assert leaving(packet("172.30.0.2", "9.9.9.9", 443, b"")) == ""


def test_a_name_is_told_also_where_no_packet_can_leave() -> None:
    asked = watch()._question
    assert asked(packet("127.0.0.1", "127.0.0.11", 41000, question("config.example.org"))) == (
        "asked for config.example.org"
    )
    assert asked(packet("127.0.0.1", "127.0.0.11", 41000, question("web"))) == ""
    assert asked(packet("127.0.0.1", "127.0.0.1", 8000, question("config.example.org"))) == ""
