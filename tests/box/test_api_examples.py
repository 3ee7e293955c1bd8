"""The examples of the page of the API, run against a box as a reader would run them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api_page import CALLS, EXAMPLES, LANGUAGES
from tests.box.real_box import WholeBox

PROGRAMS = {"sh": ["bash"], "py": [sys.executable], "mjs": ["node"]}
# What each example must print.
PRINTED = {
    "upload": {"sh": "handbook.md", "py": "-", "mjs": "-"},
    "wait": {"sh": "", "py": "ready", "mjs": "ready"},
    "search": {"sh": "28 days", "py": "28 days", "mjs": "28 days"},
    "ask": {"sh": "event: done", "py": "[1] handbook.md", "mjs": "[1] handbook.md"},
    "push": {"sh": "created", "py": "unchanged", "mjs": "unchanged"},
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("examples") / "data")
    try:
        box.start()
        yield box
    finally:
        box.stop()


def test_the_examples_of_the_page_run_as_they_stand(box: WholeBox, tmp_path: Path, subtests: pytest.Subtests) -> None:
    key = box.manage("api_key_create", "--organisation", "default", "--name", "examples").splitlines()[-1]
    (tmp_path / "handbook.md").write_text("# Holiday\n\nAfter five full years you have 28 days of holiday.\n")
    source = box.api("/api/v1/sources", key, {"name": "Wiki", "kind": "push"})["id"]
    environment = {**os.environ, "URL": box.address, "KEY": key, "SOURCE": source}
    for name, _, _ in CALLS:
        for suffix, language in LANGUAGES:
            with subtests.test(call=name, language=language):
                if suffix == "mjs" and shutil.which("node") is None:
                    pytest.skip("there is no Node.js for the example in JavaScript")
                file = tmp_path / f"{name}.{suffix}"
                file.write_text((EXAMPLES / f"{name}.{suffix}.txt").read_text("utf-8"))
                done = subprocess.run(
                    [*PROGRAMS[suffix], str(file)], cwd=tmp_path, env=environment, capture_output=True, text=True,
                    timeout=60,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                assert PRINTED[name][suffix] in done.stdout, done.stdout
        if name == "upload":
            documents = box.api("/api/v1/documents?q=handbook", key)["items"]
            environment["DOCUMENT"] = documents[0]["id"]
