"""Ask whether a local HTTP server responds, by a plain socket, because http.client loads TLS (3 MB).

python -S http_probe.py PORT PATH    exits with 0 on status 200: the health check of a container, 20 ms each
"""

import socket
import sys


def http_get(host: str, port: int, path: str, *, timeout_s: float = 1.0) -> tuple[int, bytes] | None:
    """Return status and body of a GET, or None when nothing responds in time. For small bodies on this machine."""
    request = f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    answer = bytearray()
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(request.encode())
            while part := connection.recv(65536):
                answer += part
    except OSError:
        return None
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    return int(words[1]), body


if __name__ == "__main__":
    found = http_get("127.0.0.1", int(sys.argv[1]), sys.argv[2], timeout_s=4.0)
    if "--show" in sys.argv:
        sys.stdout.write(f"{sys.argv[2]} answers {found[0]}: {found[1].decode()}\n" if found else "No answer.\n")
    sys.exit(found is None or found[0] != 200)
