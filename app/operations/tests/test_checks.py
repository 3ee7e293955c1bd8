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


@pytest.mark.parametrize("keys", ["", "x" * 64, "random-letters-and-digits-" + GOOD_KEY, f"{GOOD_KEY},{'ab' * 32}"])
def test_a_key_of_credentials_that_is_missing_or_weak_is_an_error(settings: Any, keys: str) -> None:
    assert found(settings, SECRETS_KEYS=keys) == {"refdesk.E007"}


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("http://localhost:8000", set()),
        ("https://desk.example.org", set()),
        ("http://desk.example.org", {"refdesk.I001"}),
    ],
)
def test_the_public_address_is_encrypted(settings: Any, url: str, ids: set[str]) -> None:
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


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"URL": "http://minio:9000"}, "go together"),
        ({"ACCESS_KEY": "k", "SECRET_KEY": "s"}, "go together"),
        ({"URL": "http://minio:9000", "ACCESS_KEY": "k"}, "go together"),
        ({"PUBLIC_URL": "http://minio:9000"}, "go together"),
        ({"URL": "minio:9000", "ACCESS_KEY": "k", "SECRET_KEY": "s"}, "REFDESK_S3_URL must be an address"),
        ({"URL": "http://minio:9000/refdesk", "ACCESS_KEY": "k", "SECRET_KEY": "s"}, "the address of the store alone"),
        ({"BUCKET": "My_Bucket"}, "REFDESK_S3_BUCKET must be 3 to 63 small letters"),
    ],
)
def test_an_s3_store_that_is_given_wrongly_stops_the_start_with_one_line(names: dict[str, str], problem: str) -> None:
    environment = {**os.environ, **{f"REFDESK_S3_{name}": text for name, text in names.items()}}
    command = [sys.executable, "-c", "import app.settings"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert problem in done.stderr.strip().splitlines()[-1]


def test_a_folder_needs_no_s3_client() -> None:
    program = "import django, sys; django.setup(); import app.urls, app.celery; from app.lib.storage import storage; "
    program += "storage(); assert 'minio' not in sys.modules"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "app.settings"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=60)


def test_every_check_has_an_id_of_its_own_and_a_hint() -> None:
    source = (ROOT / "app/operations/checks.py").read_text("utf-8")
    ids = re.findall(r'id="(refdesk\.[EWI]\d{3})"', source)
    assert len(ids) == len(set(ids)) == source.count("hint=")
