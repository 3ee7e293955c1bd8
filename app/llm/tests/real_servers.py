"""Real model servers for contract tests, where their addresses are given; elsewhere those tests print a skip."""

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import pytest

from app.llm.endpoints import Endpoint
from app.llm.tests.tiny_model import tiny_model_write
from tests.servers import server_url

needs_ollama, needs_vllm = pytest.mark.server("OLLAMA"), pytest.mark.server("VLLM")


def vllm_endpoint() -> Endpoint:
    return Endpoint(f"{server_url('VLLM')}/v1", os.environ.get("REFDESK_TEST_VLLM_MODEL", ""))


async def wait_until(seen: Callable[[], bool], *, within_s: float) -> bool:
    """Whether it came true in time. What is asked may block."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if await asyncio.to_thread(seen):
            return True
        await asyncio.sleep(0.05)
    return False


TEMPLATE = "{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}assistant:"


class TinyOllama:
    """A real Ollama with models of our own, made from a file and deleted at the end. Nothing is fetched."""

    def __init__(self, url: str, file: Path) -> None:
        self.url, self._file = url, file
        self._blob = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        self._made: list[str] = []

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"{self.url}/v1", self._made[0])

    def make(self, name: str, **parameters: int) -> str:
        """A model by a name that no other test uses."""
        name = f"refdesk-test-{name}-{uuid.uuid4().hex[:8]}"
        try:
            self.call("HEAD", f"/api/blobs/{self._blob}")
        except urllib.error.HTTPError:
            with self._file.open("rb") as content:
                self.call("POST", f"/api/blobs/{self._blob}", content)
        asked = {"model": name, "files": {"tiny.gguf": self._blob}, "template": TEMPLATE, "stream": False}
        assert self.call("POST", "/api/create", {**asked, "parameters": parameters})["status"] == "success"
        self._made.append(name)
        return name

    def call(self, method: str, path: str, body: Any = None) -> Any:
        sent = json.dumps(body).encode() if isinstance(body, dict) else body
        length = {"Content-Length": str(self._file.stat().st_size)} if isinstance(body, BufferedIOBase) else {}
        request = urllib.request.Request(f"{self.url}{path}", data=sent, method=method, headers=length)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def running(self) -> dict[str, int]:
        """The context of each loaded model."""
        found = self.call("GET", "/api/ps")["models"]
        return {one["name"].removesuffix(":latest"): one["context_length"] for one in found}

    def clean(self) -> None:
        for name in self._made:
            with contextlib.suppress(urllib.error.HTTPError):
                self.call("POST", "/api/generate", {"model": name, "keep_alive": 0, "stream": False})
                self.call("DELETE", "/api/delete", {"model": name})


@contextlib.contextmanager
def tiny_ollama() -> Iterator[TinyOllama]:
    url = server_url("OLLAMA")
    if not url:
        pytest.skip("REFDESK_TEST_OLLAMA_URL is not set")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiny.gguf"
        tiny_model_write(file)
        server = TinyOllama(url, file)
        try:
            yield server
        finally:
            server.clean()
