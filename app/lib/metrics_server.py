"""/metrics of a process that serves no pages: a worker's, a beat's. On a port of its own, behind the same token.

Nothing of it is loaded without REFDESK_METRICS_TOKEN.
"""

import atexit
import json
import logging
import os
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.utils.crypto import constant_time_compare

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
# A client that says nothing keeps no thread for longer.
CLIENT_S = 5.0


class _Page(BaseHTTPRequestHandler):
    timeout: ClassVar[float] = CLIENT_S
    server_version, sys_version = "Refdesk", ""

    def do_GET(self) -> None:
        from app.lib.metrics_text import CONTENT_TYPE, metrics_text

        if self.path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND)
        elif not constant_time_compare(self.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
            self._answer(HTTPStatus.UNAUTHORIZED, ("WWW-Authenticate", 'Bearer realm="Refdesk"'))
        else:
            self._answer(HTTPStatus.OK, ("Content-Type", CONTENT_TYPE), body=metrics_text())

    def _answer(self, status: HTTPStatus, *headers: tuple[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (*headers, ("Cache-Control", "no-store"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a line each time that Prometheus asks."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that broke off."""


def metrics_file(part: str) -> Path:
    """Return the file that says where a part's metrics are: REFDESK_DATA/run/metrics-worker.json and the like."""
    return settings.DATA / "run" / f"metrics-{part}.json"


def metrics_serve(part: str) -> None:
    """Serve this process's metrics from now on, as those of `part`: worker or beat. Nothing without a token.

    At REFDESK_METRICS_LISTEN, or else at a free loopback port. A taken port is no reason not to work: it is logged.
    """
    if not settings.METRICS_TOKEN:
        return
    try:
        server = _Server(settings.METRICS_LISTEN or (LOOPBACK, 0), _Page)
    except OSError as error:
        log.error("metrics cannot be served: %s", type(error).__name__)
        return
    threading.Thread(target=server.serve_forever, args=(0.5,), name="metrics", daemon=True).start()
    if settings.METRICS_LISTEN is None:
        _address_write(metrics_file(part), server.server_port)


def _address_write(path: Path, port: int) -> None:
    record = {"url": f"http://{LOOPBACK}:{port}/metrics", "pid": os.getpid()}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(record))
        draft.replace(path)
    except OSError as error:
        log.warning("the address of the metrics was not written down: %s", type(error).__name__)
        return
    atexit.register(path.unlink, missing_ok=True)
