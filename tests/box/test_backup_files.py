"""Files and rows of a backup agree: during uploads and deletions, with lost files, and in S3."""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from app.accounts.models import Organisation
from app.backup.archive.reading import SECRETS_KEYS, SETTINGS, archive_open
from app.backup.create import Made, backup_make
from app.backup.restore import NotEmpty, restore_check
from app.embedded.ports import port_find
from app.lib.storage import storage
from app.lib.tenancy import everything_visible
from app.lib.tests.minio import OwnMinio, admin, needs_minio
from app.library.connectors.protocol import Content
from app.library.connectors.uploads import file_item
from app.library.models import Document, DocumentVersion, Source
from app.library.services.documents import document_delete
from app.library.services.intake import document_put
from tests.box.box_process import ELSEWHERE
from tests.box.real_box import WholeBox
from tests.box.test_backup import errand

BACKUPS = 5
KEPT = 5


def upload(source: Source, text: str) -> Document:
    item, content = file_item(f"{text[:60]}.txt"), Content(io.BytesIO(text.encode()))
    return document_put(organisation=source.organisation_id, source=source, item=item, content=content).document


def come_and_go(source: Source, ended: threading.Event) -> None:
    """Upload a document and delete it and its file, as the worker does, until stopped."""
    number = 0
    with everything_visible():
        while not ended.is_set():
            number += 1
            document = upload(source, f"{number} is not for long")
            key = DocumentVersion.objects.get(document=document).storage_key
            document_delete(organisation=source.organisation_id, document=document.pk)
            storage().delete(key)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_backup_names_the_files_of_its_rows_while_files_come_and_go(
    acme: Organisation, uploads: Callable[[Organisation], Source], tmp_path: Path
) -> None:
    source, ended, output = uploads(acme), threading.Event(), list[str]()
    for number in range(KEPT):
        upload(source, f"{number} stays")
    thread = threading.Thread(target=come_and_go, args=(source, ended))
    thread.start()
    try:
        made = [
            backup_make(path=tmp_path / f"{number}.tar", exports=False, say=output.append) for number in range(BACKUPS)
        ]
    finally:
        ended.set()
        thread.join()
    for one in made:
        archive = archive_open(one.path)
        assert one.missing == []
        versions = archive.manifest["tables"]["library_documentversion"]
        assert versions == len(list(archive.listed("objects"))) >= KEPT


@pytest.mark.django_db(transaction=True)
def test_a_document_that_is_deleted_after_the_snapshot_leads_to_another_snapshot(
    acme: Organisation, uploads: Callable[[Organisation], Source], tmp_path: Path
) -> None:
    source, output = uploads(acme), list[str]()
    upload(source, "stays")
    goes = upload(source, "goes")
    # The file goes first here, so that the snapshot surely has its row; the row goes when the backup has noticed.
    storage().delete(DocumentVersion.objects.get(document=goes).storage_key)

    def hear(text: str) -> None:
        output.append(text)
        if "another snapshot" in text:
            Document.objects.filter(pk=goes.pk).delete()

    made = backup_make(path=tmp_path / "made.tar", exports=False, say=hear)
    assert [text for text in output if "another snapshot" in text] == [
        "Files were deleted meanwhile (1); another snapshot is taken"
    ]
    assert (made.missing, made.documents, made.files["objects"]) == ([], 1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_lost_or_damaged_is_named_and_the_rest_is_in_the_backup(
    acme: Organisation, uploads: Callable[[Organisation], Source], tmp_path: Path, settings: Any
) -> None:
    source = uploads(acme)
    documents = [upload(source, f"{number} is a document") for number in range(3)]
    keys = [DocumentVersion.objects.get(document=document).storage_key for document in documents]
    storage().delete(keys[0])
    (settings.DATA / "objects" / keys[1]).write_bytes(b"other bytes")
    made: Made = backup_make(path=tmp_path / "some.tar", exports=False, say=lambda text: None)
    assert sorted(made.missing) == sorted(f"objects/{key}" for key in keys[:2])
    archive = archive_open(made.path)
    assert [key for key, _ in archive.listed("objects")] == [keys[2]]
    assert sorted(archive.manifest["missing"]) == sorted(made.missing)


@pytest.mark.django_db(transaction=True)
def test_a_backup_has_the_keys_of_credentials_once_and_a_box_without_them_refuses_it(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECRETS_KEYS = "one-key-of-more-than-thirty-two-letters,another-key-of-more-than-thirty-two"
    monkeypatch.setenv("REFDESK_SECRETS_KEYS", settings.SECRETS_KEYS)
    archive = archive_open(backup_make(path=tmp_path / "made.tar", exports=False, say=lambda text: None).path)
    assert archive.read(SECRETS_KEYS).decode() == settings.SECRETS_KEYS
    assert "REFDESK_SECRETS_KEYS" not in archive.read(SETTINGS).decode()
    for keys in ("", "another-key-of-more-than-thirty-two"):
        settings.SECRETS_KEYS = keys
        with pytest.raises(NotEmpty, match="secrets-keys"):
            restore_check(archive)
    settings.SECRETS_KEYS = f"a-third-key-of-more-than-thirty-two,{archive.read(SECRETS_KEYS).decode()}"
    assert restore_check(archive, keep_files=True) is False


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OwnMinio]]:
    found = [OwnMinio(tmp_path_factory.mktemp("minio"), port_find()) for _ in range(2)]
    try:
        for store in found:
            store.start()
        yield found
    finally:
        for store in found:
            store.kill()


def in_store(store: OwnMinio) -> dict[str, str]:
    place = store.place
    names = {"URL": place.url, "BUCKET": place.bucket, "ACCESS_KEY": place.access_key, "SECRET_KEY": place.secret_key}
    return {"REFDESK_LLM_URL": ELSEWHERE["REFDESK_LLM_URL"], **{f"REFDESK_S3_{n}": v for n, v in names.items()}}


@needs_minio
def test_a_box_with_its_files_in_s3_is_made_again_in_another_store(stores: list[OwnMinio], tmp_path: Path) -> None:
    first = WholeBox(tmp_path / "first", REFDESK_SAMPLES="1", **in_store(stores[0]))
    path = tmp_path / "made.tar"
    try:
        first.start()
        first.await_ready_documents()
        status, output = errand(first, "backup", str(path))
    finally:
        first.stop()
    assert status == 0, output
    second = WholeBox(tmp_path / "second", **in_store(stores[1]))
    foreign = f"objects/{uuid4()}/ab/{'ab' * 32}"
    client = admin(stores[1].place)
    client.make_bucket(stores[1].place.bucket)
    client.put_object(stores[1].place.bucket, foreign, io.BytesIO(b"x"), 1)
    status, output = errand(second, "restore", str(path))
    assert (status, "1 files that the backup does not know" in output) == (1, True), output
    client.remove_object(stores[1].place.bucket, foreign)
    status, output = errand(second, "restore", str(path))
    assert (status, "Rows, vectors and files agree." in output) == (0, True), output
    assert len(list(client.list_objects(stores[1].place.bucket, "objects/", recursive=True))) == 6
