"""Real model servers for contract tests, if their addresses are set; otherwise those tests are skipped."""

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

from app.llm.endpoint import Endpoint
from app.llm.tests.tiny_model import tiny_model_write
from tests.servers import server_url

needs_ollama, needs_vllm = pytest.mark.server("OLLAMA"), pytest.mark.server("VLLM")


def vllm_endpoint() -> Endpoint:
    return Endpoint(f"{server_url('VLLM')}/v1", os.environ.get("REFDESK_TEST_VLLM_MODEL", ""))


async def wait_until(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Wait for a condition, whose check may block; return whether it became true in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if await asyncio.to_thread(condition):
            return True
        await asyncio.sleep(0.05)
    return False


TEMPLATE = "{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}assistant:"


class TinyOllama:
    """A real Ollama with models created from a file, deleted at the end. No model is downloaded."""

    def __init__(self, url: str, file: Path) -> None:
        self.url, self._file = url, file
        self._blob = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        self._names: list[str] = []

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"{self.url}/v1", self._names[0])

    def make(self, name: str, **parameters: int) -> str:
        """Create a model with a name that no other test uses; return the name."""
        name = f"refdesk-test-{name}-{uuid.uuid4().hex[:8]}"
        try:
            self.call("HEAD", f"/api/blobs/{self._blob}")
        except urllib.error.HTTPError:
            with self._file.open("rb") as content:
                self.call("POST", f"/api/blobs/{self._blob}", content)
        request = {"model": name, "files": {"tiny.gguf": self._blob}, "template": TEMPLATE, "stream": False}
        assert self.call("POST", "/api/create", {**request, "parameters": parameters})["status"] == "success"
        self._names.append(name)
        return name

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        length = {"Content-Length": str(self._file.stat().st_size)} if isinstance(body, BufferedIOBase) else {}
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method, headers=length)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"null")

    def running(self) -> dict[str, int]:
        """Return the context of each loaded model."""
        models = self.call("GET", "/api/ps")["models"]
        return {model["name"].removesuffix(":latest"): model["context_length"] for model in models}

    def clean(self) -> None:
        for name in self._names:
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
