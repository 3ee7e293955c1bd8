"""A whole box, as scripts/start runs it, in the Python that runs the tests."""

import json
import re
import subprocess
import sys
import urllib.request
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.box.box_process import BoxProcess
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
EMAIL = "owner@example.org"


class WholeBox(BoxProcess):
    """Every engine, the web process and the worker, with an owner; no stand-in."""

    real = True

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(folder, **environment)
        self.environment.setdefault("REFDESK_ADMIN_EMAIL", EMAIL)
        self.environment.setdefault("REFDESK_SAMPLES", "0")
        self.environment.setdefault("REFDESK_URL", self.address)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    @cached_property
    def password(self) -> str:
        """Read the generated password from what the first start printed."""
        found = re.search(r"password\s+(\S+)", self.printed())
        assert found, self.printed()
        return found.group(1)

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py in another shell, which finds the engines by the data folder."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self._environment({}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout.strip()

    def api(self, path: str, key: str, body: Any = None) -> Any:
        """Call the API with a key and return the JSON of the response."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(self.address + path, data, headers), timeout=60) as answer:
            return json.load(answer)

    def await_ready_documents(self) -> None:
        """Wait until every document of the box is ready."""
        wait_until(
            lambda: self.sql("SELECT count(*) FROM library_document WHERE state <> 'ready'") == [(0,)], limit_s=120
        )
