"""Exports at work: little memory for large ones, nothing partial after a kill, and each person's own data."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import AsyncClient, Client

from app.accounts.models import Membership, Organisation, User
from app.jobs.models import Job
from app.jobs.tests.probes import leases_age
from app.jobs.tests.running import jobs_run
from app.lib.storage import exports_storage, storage
from app.library.models import Source
from app.library.tests.stores import stores_empty
from app.library.tests.workers import ROOT, test_database_url, worker, worker_kill, worker_start
from app.privacy.models import Erasure, Export
from tests.factories import tenant_make
from tests.people import Person
from tests.snapshot import changes, snapshot
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
DOCUMENTS, CHUNKS = 1000, 20


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str, valkey: str) -> None:
    stores_empty()


_FILL = """
WITH d AS (
  INSERT INTO library_document (id, organisation_id, source_id, external_id, name, url, metadata, media_type, state,
    percent, version, chunks, error_code, error_message, created, updated)
  SELECT gen_random_uuid(), %(of)s, %(source)s, h, 'paper ' || n || '.md', '', '{}', 'text/markdown', 'ready', 100, 1,
    %(chunks)s, '', '', now(), now()
  FROM unnest(%(hashes)s::text[]) WITH ORDINALITY AS t (h, n) RETURNING id, external_id AS sha256
), v AS (
  INSERT INTO library_documentversion (id, organisation_id, document_id, number, state, storage_key, sha256, bytes,
    fetched, etag, last_modified, media_type, title, language, chunks, embedding_model, warnings, created)
  SELECT gen_random_uuid(), %(of)s, d.id, 1, 'active', %(of)s || '/' || left(d.sha256, 2) || '/' || d.sha256, d.sha256,
    60000, now(), '', '', '', '', 'en', %(chunks)s, 'other', '[]', now() FROM d RETURNING id, document_id
)
INSERT INTO library_chunk (id, organisation_id, document_id, version_id, position, text, embed_text, tokens, start,
  "end", place)
SELECT gen_random_uuid(), %(of)s, v.document_id, v.id, n, repeat(md5(v.id::text || n), 60), repeat(md5(v.id::text), 60),
  400, 0, 1, '{"kind": "text"}' FROM v, generate_series(0, %(chunks)s - 1) AS n
"""


@pytest.fixture
def large(acme: Organisation, alice: Person) -> Organisation:
    """Make 1,000 documents of 60 kB, each with 20 passages of twice 2 kB: 60 MB of files, 80 MB of rows."""
    source, hashes = Source.objects.create(organisation=acme, name="Papers"), []
    for _ in range(DOCUMENTS):
        data = os.urandom(60_000)
        with storage().stage(io.BytesIO(data), organisation=acme.id) as received:
            received.commit()
        hashes.append(received.sha256)
    with connection.cursor() as cursor:
        values = {"of": str(acme.id), "source": source.id, "hashes": hashes, "chunks": CHUNKS}
        cursor.execute(_FILL, values)
    return acme


_MEASURE = """
import resource, sys
import django
django.setup()
from django.core.management import call_command
from app.lib.tenancy import scope_enter_everything
scope_enter_everything()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
call_command("organisation_export", "acme", sys.argv[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_thousand_documents_are_exported_in_little_memory(large: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "app.settings",
        "REFDESK_DATABASE_URL": test_database_url(),
    }
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert path.stat().st_size > DOCUMENTS * 60_000
    # Measured: see docs/privacy.md. The files alone are 60 MB, the rows 80.
    assert int(ended.stdout) < 60, ended.stdout
    assert path.stat().st_mode & 0o077 == 0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "worker.log").touch()
    yield tmp_path / "worker.log"
    sys.stdout.write((tmp_path / "worker.log").read_text()[-5000:])


def test_an_export_killed_in_the_middle_is_made_anew_and_nothing_is_half(
    large: Organisation, alice: Person, log: Path
) -> None:
    alice.client.post("/api/v1/exports", {}, content_type="application/json")
    incoming = settings.DATA / "exports" / "incoming"
    process = worker_start(log)
    wait_until(lambda: any(path.stat().st_size > 5_000_000 for path in incoming.glob("*")), what="a part is written")
    worker_kill(process, signal.SIGKILL)
    row = Export.objects.get(requested_by=alice.user)
    assert (row.state, row.storage_key) == ("running", "")
    assert list(exports_storage().objects(organisation=large.id)) == []
    leases_age()
    with worker(log):
        wait_until(lambda: Export.objects.get(pk=row.pk).state == "done", what="export done")
    row.refresh_from_db()
    assert Job.objects.get(kind="export").attempt == 2
    assert [each.key for each in exports_storage().objects(organisation=large.id)] == [row.storage_key]
    with exports_storage().local_path(row.storage_key) as path:
        assert zipfile.ZipFile(path).testzip() is None
    exports_storage().purge_staging(older_than_s=-1)


def test_an_import_killed_in_the_middle_leaves_nothing_that_anybody_sees(large: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    call_command("organisation_export", "acme", str(path), stderr=io.StringIO())
    before = snapshot()
    environment = {**os.environ, "REFDESK_DATABASE_URL": test_database_url()}
    command = [sys.executable, "manage.py", "organisation_import", str(path), "--slug", "again"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "files stored" in line:
            break
    process.kill()
    process.wait()
    assert not Organisation.objects.filter(slug="again").exists()
    moved = [each for each in changes(before, snapshot()) if not each.startswith("files of ")]
    assert moved == []
    storage().purge_staging(older_than_s=-1)


def own(client: Client, do: str, **more: str) -> Any:
    return client.post("/account/data", {"do": do, **more})


def content(client: Client, address: str) -> bytes:
    async def read() -> bytes:
        browser = AsyncClient()
        browser.cookies = client.cookies
        answer = await browser.get(address)
        assert answer.status_code == 200
        return b"".join([part async for part in answer.streaming_content])

    return asyncio.run(read())


def test_a_viewer_takes_their_own_data_away_and_nobody_else_does(alice: Person, bob: Person, charlie: Person) -> None:
    tenant_make(alice, word="lighthouse")
    Membership.objects.create(organisation=charlie.organisation, user=bob.user)
    assert own(bob.client, "export").status_code == 302
    page = bob.client.get("/account/data")
    assert page["Refresh"] == "3"
    assert "Being made" in page.content.decode()
    assert jobs_run("export")
    made = Export.objects.get(kind="account")
    address = f"/account/exports/{made.pk}"
    assert address in bob.client.get("/account/data").content.decode()
    archive = zipfile.ZipFile(io.BytesIO(content(bob.client, address)))
    assert b"bob@example.org" in archive.read("account.jsonl")
    # Memberships of both organisations.
    assert archive.read("memberships.jsonl").count(b"\n") == 2
    assert not any(b"lighthouse answer" in archive.read(name) for name in archive.namelist())
    for other in (alice, charlie):
        assert other.client.get(address).status_code == 404
        assert other.client.get(f"/api/v1/exports/{made.pk}/content").status_code == 404
        assert other.client.get(f"/admin/privacy/export/{made.pk}/content/").status_code == 404


def test_an_account_is_deleted_after_the_address_was_typed(alice: Person, bob: Person) -> None:
    assert own(bob.client, "erase", confirm="yes").status_code == 422
    assert own(bob.client, "erase", confirm="Bob@example.org ").status_code == 200
    assert bob.client.get("/account").status_code == 302
    assert jobs_run("erasure")
    assert not User.objects.filter(pk=bob.user.pk).exists()
    assert Erasure.objects.get().receipt["asked_by"] == {"kind": "person", "id": str(bob.user.pk)}


def test_the_last_owner_is_told_what_to_do(alice: Person) -> None:
    answer = own(alice.client, "erase", confirm="alice@example.org")
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "Nobody else owns: acme." in text
    assert "Make somebody else an owner first." in text
    assert User.objects.get(pk=alice.user.pk).is_active


def test_the_admin_s_buttons_export_and_erase(alice: Person, bob: Person) -> None:
    alice.client.post("/admin/privacy/export/add/", {"who": ""})
    assert not Export.objects.exists()
    alice.client.post("/admin/privacy/export/add/", {"of": "everything", "who": ""})
    assert jobs_run("export")
    made = Export.objects.get(requested_by=alice.user)
    assert "Download" in alice.client.get("/admin/privacy/export/").content.decode()
    assert (
        zipfile.ZipFile(io.BytesIO(content(alice.client, f"/admin/privacy/export/{made.pk}/content/"))).testzip()
        is None
    )
    page = "/admin/privacy/erasure/add/"
    wrong = alice.client.post(page, {"who": "bob@example.org", "confirm": "bob"})
    assert "This is not the address above." in wrong.content.decode()
    assert not Erasure.objects.exists()
    alice.client.post(page, {"who": "bob@example.org", "confirm": "bob@example.org"})
    assert "Refresh" in alice.client.get("/admin/privacy/erasure/").headers
    jobs_run("erasure")
    assert not User.objects.filter(pk=bob.user.pk).exists()
    row = Erasure.objects.get(kind="person")
    assert str(row.pk) in alice.client.get(f"/admin/privacy/erasure/{row.pk}/change/").content.decode()
    alice.client.post(page, {"who": "", "confirm": "acme"})
    alice.client.post(f"{page}?of=organisation", {"confirm": "wrong"})
    assert Organisation.objects.get(slug="acme").suspended is None
    alice.client.post(f"{page}?of=organisation", {"confirm": "acme"})
    assert Organisation.objects.get(slug="acme").suspended is not None
