import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

ROOT = Path(__file__).parents[3]
GOOD_KEY = "k4Jw0-eYtR7uPq2LmX9vBn6CzAs1DfGh8iO5"


def found(settings: Any, **changes: Any) -> set[str]:
    for name, value in {"SECRET_KEY": GOOD_KEY, **changes}.items():
        setattr(settings, name, value)
    ids = {str(message.id) for message in run_checks(include_deployment_checks=True)}
    return {each for each in ids if each.startswith("refdesk.")}


@pytest.mark.parametrize("key", ["short", "x" * 64, "django-insecure-" + GOOD_KEY, "64 random letters and digits xyz"])
def test_a_weak_secret_key_is_an_error(settings: Any, key: str) -> None:
    assert found(settings, SECRET_KEY=key) == {"refdesk.E001"}


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("http://localhost:8000", set()),
        ("https://desk.example.org", set()),
        ("https://example.org/desk", {"refdesk.E002"}),
        ("http://desk.example.org", {"refdesk.I001"}),
    ],
)
def test_the_public_address_is_a_host_of_its_own_and_encrypted(settings: Any, url: str, ids: set[str]) -> None:
    assert found(settings, PUBLIC_URL=url) == ids


def test_a_missing_engine_is_named(settings: Any) -> None:
    assert found(settings, QDRANT_URL="") == {"refdesk.E003"}


@pytest.mark.parametrize("name", ["SecurityMiddleware", "CsrfViewMiddleware", "XFrameOptionsMiddleware"])
def test_the_middleware_that_protects_must_be_there(settings: Any, name: str) -> None:
    left = [path for path in settings.MIDDLEWARE if not path.endswith(f".{name}")]
    assert len(left) == len(settings.MIDDLEWARE) - 1
    assert found(settings, MIDDLEWARE=left) == {"refdesk.E005"}


def test_a_data_folder_must_be_a_folder(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert found(settings, DATA=file) == {"refdesk.E004"}
    assert found(settings, DATA=tmp_path / "made" / "later") == set()


@pytest.mark.parametrize("url", ["http://localhost:8000", "https://desk.example.org"])
def test_a_normal_start_passes_the_deployment_checks(url: str) -> None:
    environment = {**os.environ, "REFDESK_URL": url, "REFDESK_SECRET_KEY": GOOD_KEY * 2}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr


def test_every_check_has_an_id_of_its_own_and_a_hint() -> None:
    source = (ROOT / "app/ops/checks.py").read_text("utf-8")
    ids = re.findall(r'id="(refdesk\.[EWI]\d{3})"', source)
    assert len(ids) == len(set(ids)) == source.count("hint=")
