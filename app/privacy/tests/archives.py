"""An organisation with two documents, a bot and a conversation, its archive, and archives that were changed."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from app.accounts.models import Organisation
from app.bots.services import bot_create
from app.chat.models import Citation
from app.jobs.tests.running import jobs_run
from app.lib.storage import storage
from app.library.models import Chunk
from app.library.tests.stores import stores_empty, upload
from tests.factories import Tenant, tenant_make
from tests.people import Person

HANDBOOK = b"# Holiday\n\nAfter five full years with the company you have 28 days of holiday.\n"
MANUAL = b"# Warranty\n\nThe warranty of the Vale 3 is 24 months from delivery.\n"


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str, valkey: str) -> None:
    stores_empty()


@pytest.fixture
def library(acme: Organisation, alice: Person) -> Organisation:
    upload(acme, "handbook.md", HANDBOOK)
    upload(acme, "manual.md", MANUAL)
    assert jobs_run()
    bot_create(organisation=acme, slug="default", name="Desk", settings={"system_prompt": "Be brief."})
    _conversation_keep(tenant_make(alice, word="lighthouse"))
    return acme


def _conversation_keep(tenant: Tenant) -> None:
    """Make the tenant's conversation cite a real document: its own was never indexed."""
    chunk = Chunk.objects.get(text__contains="Vale 3")
    Citation.objects.filter(pk=tenant.citation.pk).update(document=chunk.document_id, chunk_id=chunk.pk)
    tenant.document.delete()
    storage().delete(tenant.version.storage_key)


@pytest.fixture
def archive(library: Organisation, tmp_path: Path) -> Path:
    call_command("organisation_export", "acme", str(tmp_path / "acme.zip"), stderr=io.StringIO())
    return tmp_path / "acme.zip"


def tables(path: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as file:
        names = [name for name in file.namelist() if name.endswith(".jsonl")]
        return {name[:-6]: [json.loads(line) for line in file.read(name).splitlines()] for name in names}


def changed(archive: Path, change: Callable[[dict[str, bytes]], None], *, sums: bool = True) -> Path:
    """Return the archive with other parts; `sums`: with a manifest that fits them."""
    with zipfile.ZipFile(archive) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    change(parts)
    if sums and parts.get("manifest.json", b"").startswith(b"{"):
        manifest = json.loads(parts["manifest.json"])
        rows = {name: {"rows": data.count(b"\n")} for name, data in parts.items() if name.endswith(".jsonl")}
        manifest["parts"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), **rows.get(name, {})}
            for name, data in parts.items()
            if name != "manifest.json"
        }
        manifest["counts"] = {name[:-6]: each["rows"] for name, each in rows.items()}
        parts["manifest.json"] = json.dumps(manifest).encode()
    path = archive.with_name("changed.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def rows_changed(table: str, **values: Any) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        lines = [json.loads(line) | values for line in parts[f"{table}.jsonl"].splitlines()]
        parts[f"{table}.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    return change


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: data})
