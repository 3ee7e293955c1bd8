"""Ports of this machine: a free one, and whether one is taken."""

import socket

LOOPBACK = "127.0.0.1"


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises OSError for a host that is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A port with connections that are only being forgotten (TIME_WAIT) is free to a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {98, 48, 13}:
                return False
            raise
    return True


def port_find(preferred: int | None = None) -> int:
    """A free loopback port: the preferred one when it still is."""
    if preferred is not None and port_is_free(LOOPBACK, preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
