"""Documents and exports with S3 as the store, and the errors that people see while it is unavailable."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings as deployment
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.test import Client

from app.asgi import application
from app.errors import Upstream
from app.jobs.tests.running import jobs_run
from app.lib.storage import storage
from app.lib.storage.s3_client import Place
from app.lib.tests.minio import OwnMinio, admin, needs_minio, needs_s3, new_place, settings_use
from app.library.models import Document, DocumentVersion
from app.library.reconcile.reconciler import reconcile
from app.library.tests.stores import long_text, stores_agree, stores_empty, wait_jobs
from app.library.tests.workers import worker
from app.privacy.exports.run import exports_expire, exports_tidy
from app.privacy.exports.services import export_delete
from app.privacy.models import Export
from tests.people import Person
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), needs_s3]
TEXT = long_text(3)


@pytest.fixture
def place(settings: Any, qdrant: str, embedder: str) -> Iterator[Place]:
    """Make a bucket of the test's own the deployment's store."""
    stores_empty()
    with new_place() as made:
        settings_use(settings, made)
        yield made


@pytest.fixture
def own(settings: Any, tmp_path: Path, unused_tcp_port: int, qdrant: str, embedder: str) -> Iterator[OwnMinio]:
    """Make a store that the test may kill the deployment's store."""
    stores_empty()
    minio = OwnMinio(tmp_path / "minio", unused_tcp_port)
    minio.start()
    settings_use(settings, minio.place)
    yield minio
    minio.kill()


def send(person: Person, data: bytes = TEXT, name: str = "parcels.md") -> Any:
    return person.client.post("/api/v1/documents", {"file": SimpleUploadedFile(name, data)})


def id_of(answer: Any) -> str:
    assert answer.status_code == 202, answer.content
    item = answer.json()["items"][0]
    assert item["error"] is None, item
    return str(item["id"])


def jobs_do() -> None:
    assert jobs_run()


def content(person: Person, address: str, **headers: str) -> Any:
    answer = person.client.get(address, headers=headers)
    answer.body = b"".join(answer)
    return answer


def names_in(place: Place) -> list[str]:
    return [str(one.object_name) for one in admin(place).list_objects(place.bucket, recursive=True)]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_a_document_lives_in_the_bucket_from_its_upload_to_its_deletion(alice: Person, place: Place) -> None:
    document = id_of(send(alice))
    key = DocumentVersion.objects.get().storage_key
    assert names_in(place) == [f"objects/{key}"]
    assert not (deployment.DATA / "objects" / key).exists()
    jobs_do()
    assert alice.client.get(f"/api/v1/documents/{document}").json()["state"] == "ready"
    assert stores_agree().objects == 1
    answer = content(alice, f"/api/v1/documents/{document}/content")
    assert (answer.status_code, answer.body) == (200, TEXT)
    assert answer["Content-Disposition"] == 'attachment; filename="parcels.md"'
    assert (answer["X-Content-Type-Options"], "sandbox" in answer["Content-Security-Policy"]) == ("nosniff", True)
    answer = content(alice, f"/api/v1/documents/{document}/content", range="bytes=100-199")
    assert (answer.status_code, answer.body) == (206, TEXT[100:200])
    assert alice.client.delete(f"/api/v1/documents/{document}").status_code == 204
    jobs_do()
    assert names_in(place) == []
    assert stores_agree().objects == 0


def test_the_reconciler_knows_the_bucket(alice: Person, place: Place) -> None:
    document = id_of(send(alice))
    jobs_do()
    with storage().stage(io.BytesIO(b"left over"), organisation=alice.organisation.pk) as received:
        received.commit()
    report = reconcile(repair=True, object_age_s=-1)
    assert report is not None
    assert (report.orphan_objects.first, report.missing_objects.count) == ([received.key], 0)
    assert not storage().exists(received.key)
    storage().delete(DocumentVersion.objects.get().storage_key)
    report = reconcile(repair=False)
    assert report is not None
    assert report.missing_objects.first == [document]


def test_browsers_are_sent_to_the_store_only_after_our_own_checks(
    alice: Person, bob: Person, charlie: Person, place: Place, settings: Any
) -> None:
    document = id_of(send(alice))
    settings.S3_PUBLIC_URL = place.url
    address = f"/api/v1/documents/{document}/content"
    answer = bob.client.get(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{place.url}/{place.bucket}/objects/{alice.organisation.pk}/")
    assert answer["Cache-Control"] == "no-store"
    for stranger, status in ((charlie.client, 404), (Client(), 401)):
        refused = stranger.get(address)
        assert (refused.status_code, "Location" in refused) == (status, False)
    storage().delete(DocumentVersion.objects.get().storage_key)
    assert bob.client.get(address).json()["error"]["code"] == "file_missing"


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_an_export_lies_beside_the_documents_and_goes_when_it_expires(alice: Person, place: Place) -> None:
    id_of(send(alice))
    made = alice.client.post("/api/v1/exports", {}, content_type="application/json").json()
    assert jobs_run("export")
    export = Export.objects.get(pk=made["id"])
    assert f"exports/{export.storage_key}" in names_in(place)
    answer = content(alice, f"/api/v1/exports/{made['id']}/content")
    assert (answer.status_code, len(answer.body), answer.body[:2]) == (200, export.bytes, b"PK")
    Export.objects.filter(pk=export.pk).update(expires=export.created)
    assert exports_expire(organisation=alice.organisation.pk) == 1
    assert [name for name in names_in(place) if name.startswith("exports/")] == []
    assert len(names_in(place)) == 1


@needs_minio
def test_while_the_store_is_away_everybody_is_told_and_nothing_is_lost(
    alice: Person, own: OwnMinio, tmp_path: Path
) -> None:
    document = id_of(send(alice))
    own.kill()
    answer = send(alice, b"another file", "another.txt")
    item = answer.json()["items"][0]
    assert (item["error"]["code"], Document.objects.count()) == ("storage_unavailable", 1)
    answer = alice.client.get(f"/api/v1/documents/{document}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    made = alice.client.post("/api/v1/exports", {}, content_type="application/json").json()
    assert jobs_run("export")
    export = Export.objects.get(pk=made["id"])
    assert (export.state, export.error_code) == ("queued", "storage_unavailable")
    with pytest.raises(Upstream):
        reconcile(repair=True)
    with pytest.raises(CommandError, match="The file store does not answer"):
        call_command("check_store")
    environment = {f"REFDESK_S3_{name.upper()}": getattr(own.place, name) for name in ("url", "bucket", "access_key")}
    with worker(tmp_path / "worker.log", REFDESK_S3_SECRET_KEY=own.place.secret_key, **environment):
        wait_until(
            lambda: Document.objects.get().error_code == "storage_unavailable",
            limit_s=60,
            what="the document waits for the store",
        )
        assert Document.objects.get().state == "queued"
        own.start()
        wait_until(lambda: Document.objects.get().state == "ready", limit_s=90, what="the document is ready")
        wait_jobs()
    assert "Traceback" not in (tmp_path / "worker.log").read_text()
    assert Export.objects.get().state == "done"
    assert stores_agree().objects == 1


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Return address of a real web server in this process."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@needs_minio
async def test_a_download_whose_store_dies_breaks_off_without_a_trace_in_the_log(
    alice: Person, own: OwnMinio, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    data = b"0123456789abcdef" * (1024 * 1024 * 2)
    document = id_of(await sync_to_async(send)(alice, data, "large.txt"))
    async with served() as url, aiohttp.ClientSession(headers=alice.headers) as session:
        answer = await session.get(f"{url}/api/v1/documents/{document}/content")
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(data)))
        own.kill()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        broken = await session.get(f"{url}/api/v1/documents/{document}/content")
        assert (broken.status, (await broken.json())["error"]["code"]) == (503, "storage_unavailable")
        await asyncio.to_thread(own.start)
        again = await session.get(
            f"{url}/api/v1/documents/{document}/content",
            headers={"Range": "bytes=1000-", "If-Range": answer.headers["ETag"]},
        )
        assert (again.status, await again.read() == data[1000:]) == (206, True)
    assert "a download broke off: storage_unavailable" in caplog.text
    # The server's own messages bypass the root logger.
    printed = capfd.readouterr().err
    assert "without completing response" in printed
    assert "Traceback" not in printed + caplog.text


@needs_minio
def test_an_export_deleted_while_the_store_is_away_goes_with_the_next_tidying(alice: Person, own: OwnMinio) -> None:
    made = [alice.client.post("/api/v1/exports", {}, content_type="application/json").json()["id"] for _ in range(2)]
    jobs_run("export")
    assert len(names_in(own.place)) == 2
    own.kill()
    answer = alice.client.get(f"/api/v1/exports/{made[0]}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    export_delete(organisation=alice.organisation.pk, export=Export.objects.get(pk=made[0]))
    Export.objects.update(expires=Export.objects.get().created)
    assert exports_expire(organisation=alice.organisation.pk) == 1
    own.start()
    assert len(names_in(own.place)) == 2
    assert exports_tidy(older_than_s=-1)["exports_left_over"] == 2
    assert names_in(own.place) == []


@needs_minio
def test_a_store_that_is_away_is_said_by_ready_and_by_the_checks(
    alice: Person, own: OwnMinio, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> str:
        call_command("check", deploy=True)
        return "".join(capsys.readouterr())

    assert "refdesk.I002" in said()
    answer = Client().get("/ready")
    assert (answer.status_code, answer.json()["engines"]["files"]["ok"]) == (200, True)
    # The readiness check made the bucket of a new store.
    assert admin(own.place).bucket_exists(own.place.bucket)
    assert "refdesk.I00" not in said()
    settings_use(settings, replace(own.place, secret_key="another secret"))
    assert Client().get("/ready").status_code == 503
    with pytest.raises(SystemCheckError, match=r"refdesk\.E006"):
        said()
    own.kill()
    answer = Client().get("/ready")
    assert (answer.status_code, answer.json()["engines"]["files"]["ok"]) == (503, False)
    assert "another secret" not in answer.content.decode()
    assert "refdesk.I003" in said()
