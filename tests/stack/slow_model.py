"""A model server for a container that takes four seconds for each answer, so that a fault interrupts one."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS, BETWEEN_S = 40, 0.1


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"object": "list", "data": [{"id": "slow", "object": "model"}]}))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send("text/event-stream", "")
        for number in range(WORDS):
            self._piece({"choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}]})
            time.sleep(BETWEEN_S)
        self._piece({"choices": [{"index": 0, "delta": {"content": "[1]"}, "finish_reason": "stop"}]})
        counts = {"prompt_tokens": 50, "completion_tokens": WORDS + 1, "total_tokens": WORDS + 51}
        self._piece({"choices": [], "usage": counts})
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: Any) -> None:
        """Print no line for each request."""

    def _send(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def _piece(self, piece: dict[str, Any]) -> None:
        chunk = {"id": "slow", "object": "chat.completion.chunk", "created": 0, "model": "slow", **piece}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Answer).serve_forever()
