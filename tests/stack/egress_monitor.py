"""Egress of a stack: packets from its bridges to addresses outside, and names that its containers ask for.

Reads copies of packets (AF_PACKET) on each bridge of a compose project, and on the loopback of each container, where
Docker's own resolver is asked. So a question is seen whether or not there is a way out for it. Needs root and an
engine on this machine; changes nothing.
"""

import ctypes
import ipaddress
import json
import os
import selectors
import socket
import struct
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
CLONE_NEWNET = 0x40000000
RESOLVER = ipaddress.ip_address("127.0.0.11")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def docker_json(*arguments: str) -> Any:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


class EgressMonitor:
    """Records egress between start() and stop(); seen() returns it."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._label = f"com.docker.compose.project={project}"
        self._subnets: list[Network] = []
        self._known: set[str] = set()
        self._sockets: dict[int, tuple[socket.socket, str, bool]] = {}
        self._attached: set[str] = set()
        self._seen: dict[str, int] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        # Networks and containers that are made while it runs: networks before their containers, containers at their
        # start.
        events = [
            "docker",
            "events",
            "--filter",
            "type=network",
            "--filter",
            "type=container",
            "--format",
            "{{.Action}}",
        ]
        self._events = subprocess.Popen(events, stdout=subprocess.PIPE)

    @staticmethod
    def problem() -> str:
        """Return why it cannot record here, or an empty text."""
        if os.geteuid() != 0:
            return "it needs root"
        if not Path("/sys/class/net/docker0").exists():
            return "the Docker engine is on another machine"
        return ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._events.terminate()
        self._thread.join(timeout=10)

    def seen(self) -> dict[str, int]:
        """Return the packets and questions, each with its count."""
        with self._lock:
            return dict(self._seen)

    # --- the thread -----------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        assert self._events.stdout
        self._selector.register(self._events.stdout, selectors.EVENT_READ)
        self._attach()
        while not self._ended.is_set():
            for key, _ in self._selector.select(timeout=0.5):
                if key.fileobj is self._events.stdout:
                    if not os.read(key.fd, 65536):
                        return
                    self._attach()
                else:
                    self._read(key.fd)

    def _attach(self) -> None:
        rows = docker_json("network", "inspect", *self._ids("network", "ls")) if self._ids("network", "ls") else []
        for row in rows:
            if row["Id"] not in self._attached:
                self._attached.add(row["Id"])
                self._subnets += [ipaddress.ip_network(each["Subnet"]) for each in row["IPAM"]["Config"] or []]
                with suppress(OSError):
                    self._listen(f"br-{row['Id'][:12]}", row["Name"], loopback=False)
        ids = self._ids("ps", "--all")
        for row in docker_json("inspect", *ids) if ids else []:
            pid, name = row["State"]["Pid"], row["Name"].lstrip("/")
            self._known.add(row["Config"]["Labels"]["com.docker.compose.service"])
            for network in row["NetworkSettings"]["Networks"].values():
                self._known |= {name, row["Config"]["Hostname"], *(network.get("Aliases") or [])}
            if pid and f"{pid}" not in self._attached and row["HostConfig"]["NetworkMode"] != "none":
                self._attached.add(f"{pid}")
                with suppress(OSError):
                    self._listen_inside(pid, name)

    def _ids(self, *command: str) -> list[str]:
        done = subprocess.run(
            ["docker", *command, "--quiet", "--no-trunc", "--filter", f"label={self._label}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.split()

    def _listen(self, interface: str, name: str, *, loopback: bool) -> None:
        listening = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        listening.bind((interface, ETH_P_ALL))
        listening.setblocking(False)
        self._sockets[listening.fileno()] = (listening, name, loopback)
        self._selector.register(listening, selectors.EVENT_READ)

    def _listen_inside(self, pid: int, name: str) -> None:
        """Open a socket in a container's network: it stays there when this thread comes back."""
        setns = ctypes.CDLL(None, use_errno=True).setns
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            if setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                self._listen("lo", name, loopback=True)
            finally:
                if setns(here, CLONE_NEWNET):
                    os._exit(70)
        finally:
            os.close(here)
            os.close(there)

    def _read(self, number: int) -> None:
        listening, name, loopback = self._sockets[number]
        while True:
            try:
                packet, (_, protocol, kind, *_) = listening.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                self._selector.unregister(listening)
                listening.close()
                return
            # Loopback shows each packet twice, bridges what the host sends too.
            if kind == socket.PACKET_OUTGOING or protocol not in {ETH_P_IP, ETH_P_IPV6}:
                continue
            output = self._question(packet) if loopback else self._leaving(packet)
            if output:
                with self._lock:
                    self._seen[f"{name} {output}"] = self._seen.get(f"{name} {output}", 0) + 1

    def _leaving(self, packet: bytes) -> str:
        if packet[0] >> 4 != 4:
            to = ipaddress.ip_address(packet[24:40])
            return "" if to.is_multicast or to.is_link_local else f"sent a packet to {to}"
        source, to = ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20])
        ours = any(source in subnet for subnet in self._subnets)
        if not ours or to.is_multicast or any(to in subnet for subnet in self._subnets):
            return ""
        if self._is_reply(packet):
            return ""
        name = dns_name(packet)
        if name and self._is_inside(name):
            # A part that is down has no address: the resolver then passes its name on. Docker's way, and harmless.
            return ""
        return f"asked {to} for {name}" if name else f"sent a packet to {to}"

    @staticmethod
    def _is_reply(packet: bytes) -> bool:
        """Return whether the packet answers a browser that came by a host port: it comes from the port of the proxy."""
        start = (packet[0] & 15) * 4
        return packet[9] in {6, 17} and struct.unpack_from("!H", packet, start)[0] in {8080, 8443}

    def _question(self, packet: bytes) -> str:
        if packet[0] >> 4 != 4 or ipaddress.ip_address(packet[16:20]) != RESOLVER:
            return ""
        name = dns_name(packet)
        return "" if not name or self._is_inside(name) else f"asked for {name}"

    def _is_inside(self, name: str) -> bool:
        return name in self._known or name == "localhost" or name.endswith(".localhost")


def dns_name(packet: bytes) -> str:
    """Return the name in a DNS question by UDP over IPv4, or an empty text."""
    if packet[9] != 17:
        return ""
    body = packet[(packet[0] & 15) * 4 + 8 :]
    # A question: not an answer, one question in it.
    if len(body) < 13 or body[2] & 0x80 or struct.unpack_from("!H", body, 4)[0] != 1:
        return ""
    labels, at = [], 12
    while at < len(body) and body[at]:
        labels.append(body[at + 1 : at + 1 + body[at]].decode("ascii", "replace"))
        at += 1 + body[at]
    return ".".join(labels).lower()
