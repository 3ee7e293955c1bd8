"""Exports and imports: complete, without secrets, visible only when complete, and refused when altered."""

import asyncio
import base64
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import AsyncClient

from app.accounts.models import ApiKey, Invitation, Membership, Organisation, User
from app.chat.models import Citation, Conversation, Message
from app.errors import RefdeskError
from app.jobs.execution import job_run
from app.jobs.models import Job
from app.jobs.tests.running import jobs_run
from app.lib.storage import exports_storage, storage
from app.library.models import Chunk, Document, DocumentVersion
from app.library.services.documents import document_delete
from app.library.tests.mails import mail
from app.library.tests.stores import stores_agree, upload
from app.operations.management.commands.check_store import exports_compare
from app.privacy.archive.reading import ArchiveReader
from app.privacy.archive.rows import ORGANISATION_TABLES
from app.privacy.exports.run import exports_expire, exports_tidy
from app.privacy.imports.run import organisation_import
from app.privacy.models import Export
from app.privacy.tests.archives import HANDBOOK, MANUAL, archive, changed, empty, library, tables
from app.secrets.models import Secret
from tests.people import Person
from tests.snapshot import changes, foreign_references, snapshot

__all__ = ["archive", "empty", "library"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


def ask(bot: str, organisation: str) -> Any:
    out = io.StringIO()
    question = "How long is the warranty of the Vale 3?"
    call_command("ask", bot, question, organisation=organisation, json=True, stdout=out)
    return json.loads(out.getvalue())


def test_the_manifest_names_every_part_with_its_digest_and_every_file_is_the_original(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        manifest = json.loads(file.read("manifest.json"))
        assert set(manifest["parts"]) == set(file.namelist()) - {"manifest.json"}
        for name, part in manifest["parts"].items():
            data = file.read(name)
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (part["sha256"], part["bytes"])
        files = {name for name in file.namelist() if name.startswith("files/")}
        assert f"files/{hashlib.sha256(MANUAL).hexdigest()}.md" in files
        assert len(files) == manifest["counts"]["documents"] == 2
    assert set(tables(archive)) == set(ORGANISATION_TABLES)


def test_no_hash_of_a_secret_leaves(archive: Path, alice: Person) -> None:
    hashes = [alice.user.password, *ApiKey.objects.values_list("key_hash", flat=True)]
    hashes += Invitation.objects.values_list("token_hash", flat=True)
    assert len(hashes) >= 4
    with zipfile.ZipFile(archive) as file:
        everything = b"".join(file.read(name) for name in file.namelist())
    assert [each for each in hashes if each.encode() in everything] == []
    assert b"lighthouse answer" in everything


def test_of_a_credential_an_archive_says_only_that_it_is_set(archive: Path) -> None:
    [endpoint] = tables(archive)["endpoints"]
    assert (endpoint["name"], endpoint["api_key_set"]) == ("lighthouse server", True)
    with zipfile.ZipFile(archive) as file:
        everything = b"".join(file.read(name) for name in file.namelist())
    assert b"lighthouse key's value" not in everything
    sealed = bytes(Secret.objects.get().sealed)
    assert sealed not in everything
    assert base64.b64encode(sealed) not in everything


def test_an_archive_from_before_model_servers_is_imported(archive: Path) -> None:
    made = organisation_import(path=changed(archive, lambda parts: parts.pop("endpoints.jsonl") and None), slug="copy")
    assert Document.objects.filter(organisation=made).count() == 2


def test_an_import_answers_the_same_and_counts_the_same(archive: Path, library: Organisation) -> None:
    answered = ask("default", "acme")
    before = snapshot()
    assert answered["citations"], answered
    said = io.StringIO()
    call_command("organisation_import", str(archive), slug="again", stdout=io.StringIO(), stderr=said)
    assert "0 MB checked" not in said.getvalue()
    again = Organisation.objects.get(slug="again")
    assert jobs_run()
    assert set(Document.objects.filter(organisation=again).values_list("state", flat=True)) == {"ready"}
    for model in (Document, Chunk, Message, Citation, Conversation, Membership):
        counts = [model._default_manager.filter(organisation=each).count() for each in (library, again)]
        extra = {"Message": 2, "Conversation": 1, "Citation": len(answered["citations"])}
        assert counts[0] == counts[1] + extra.get(model.__name__, 0), model
    same = ask("default", "again")
    assert same["content"] == answered["content"]
    cited = [[each["passage"]["text"] for each in one["citations"]] for one in (answered, same)]
    assert cited[0] == cited[1] != []
    assert list(foreign_references()) == []
    # The accounts belong to both organisations now.
    assert changes(before, snapshot(), but=[str(again.id)]) == []
    stores_agree()


def test_an_imported_citation_leads_to_the_imported_passage(archive: Path) -> None:
    made = organisation_import(path=archive, slug="again")
    cited = Citation.objects.get(organisation=made)
    assert Chunk.objects.get(pk=cited.chunk_id).organisation_id == made.id
    assert cited.document is not None
    assert cited.document.organisation_id == made.id


def test_what_an_import_exports_is_what_was_imported(archive: Path, tmp_path: Path) -> None:
    made = organisation_import(path=archive, slug="again")
    assert jobs_run()
    call_command("organisation_export", "again", str(tmp_path / "again.zip"), stderr=io.StringIO())
    own_ids = {"id", "slug", "live_revision", "chunk", "created_by", "hash"}
    one, two = tables(archive), tables(tmp_path / "again.zip")
    for name in (
        set(one)
        - {"organisation", "audit", "api_keys", "invitations", "people", "claim_rules", "endpoints"}
        - {"runs", "run_items"}
    ):
        texts = [sorted(json.dumps(_plain(row, own_ids), sort_keys=True) for row in each[name]) for each in (one, two)]
        assert texts[0] == texts[1] != [], name
    assert made.slug == "again"


def _plain(row: dict[str, Any], own: set[str]) -> dict[str, Any]:
    """Return a row without what names rows."""
    return {name: value for name, value in row.items() if name not in own and not _is_id(value)}


def _is_id(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_id(each) for each in value)
    try:
        return bool(UUID(value.removeprefix("texts/").removesuffix(".json")))
    except (ValueError, AttributeError, TypeError):
        return False


def test_an_archive_of_before_documents_had_ids_is_imported_with_their_names(acme: Organisation) -> None:
    made = organisation_import(path=Path(__file__).with_name("archive_0_1_0.zip"), slug="again")
    assert jobs_run()
    documents = Document.objects.filter(organisation=made).order_by("created")
    names = documents.filter(name="handbook.md").values_list("external_id", flat=True)
    assert list(names) == ["handbook.md", "handbook.md (3)", "handbook.md (4)"]
    states = dict(documents.values_list("name", "state"))
    assert states == dict.fromkeys(states, "ready") | {"broken.pdf": "failed"}
    assert len(states) == 6
    for version in DocumentVersion.objects.filter(organisation=made):
        with storage().open(version.storage_key) as file:
            data = file.read()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (version.sha256, version.bytes)
    assert Citation.objects.filter(organisation=made, document__in=documents).count() == 4
    stores_agree()


def test_a_newer_version_that_was_being_read_comes_along(library: Organisation, tmp_path: Path) -> None:
    newer = HANDBOOK.replace(b"28", b"30")
    upload(library, "handbook.md", newer)
    call_command("organisation_export", "acme", str(tmp_path / "acme.zip"), stderr=io.StringIO())
    made = organisation_import(path=tmp_path / "acme.zip", slug="again")
    job = Job.objects.get(
        organisation=made, subject=str(Document.objects.get(organisation=made, name="handbook.md").pk)
    )
    assert job_run(job=job.pk)
    document = Document.objects.get(organisation=made, external_id="handbook.md")
    # The active version is ready first; the newer one is queued after it.
    assert (document.state, document.version) == ("queued", 2)
    assert document.active_version is not None
    assert document.active_version.number == 1
    assert jobs_run()
    document.refresh_from_db()
    assert document.state == "ready"
    assert document.active_version.document.versions.get(state="active").sha256 == hashlib.sha256(newer).hexdigest()


def test_a_mail_and_its_attachments_stay_together(library: Organisation, tmp_path: Path) -> None:
    upload(library, "offer.eml", mail("Offer", "See below.", ("prices.csv", b"Berth,Price\nPier C,417\n")).as_bytes())
    assert jobs_run()
    call_command("organisation_export", "acme", str(tmp_path / "acme.zip"), stderr=io.StringIO())
    made = organisation_import(path=tmp_path / "acme.zip", slug="again")
    assert jobs_run()
    [file] = Document.objects.filter(organisation=made).exclude(parent=None)
    assert file.parent is not None
    assert (file.external_id, file.parent.name, file.parent.organisation) == ("offer.eml/prices.csv", "offer.eml", made)
    assert Document.objects.filter(organisation=made, state="ready").count() == 4
    document_delete(organisation=made.id, document=file.parent.pk)
    assert jobs_run()
    assert Document.objects.filter(organisation=made).count() == 2
    stores_agree()


def test_people_of_an_archive_get_no_password_and_no_power_over_the_box(archive: Path, alice: Person) -> None:
    User.objects.filter(pk=alice.user.pk).update(email="elsewhere@example.org")
    made = organisation_import(path=archive, slug="again")
    user = User.objects.get(email="alice@example.org")
    assert not user.has_usable_password()
    assert not user.is_operator
    assert list(user.memberships.values_list("organisation", "role")) == [(made.id, "owner")]


def test_a_person_s_archive_is_not_an_organisation(library: Organisation, tmp_path: Path) -> None:
    Document.objects.filter(name="manual.md").update(uploaded_by=User.objects.get(email="alice@example.org"))
    call_command("person_export", "alice@example.org", str(tmp_path / "alice.zip"), stderr=io.StringIO())
    found = tables(tmp_path / "alice.zip")
    assert [row["email"] for row in found["account"]] == ["alice@example.org"]
    assert [row["content"] for row in found["messages"]] == ["lighthouse question", "lighthouse answer"]
    assert [row["name"] for row in found["uploads"]] == ["manual.md"]
    with pytest.raises(RefdeskError, match="only an organisation"), ArchiveReader(tmp_path / "alice.zip"):
        pass


def exported(caller: Person, **body: Any) -> dict[str, Any]:
    answer = caller.client.post("/api/v1/exports", body, content_type="application/json")
    assert answer.status_code == 202, answer.content
    assert jobs_run("export")
    found: dict[str, Any] = caller.client.get(f"/api/v1/exports/{answer.json()['id']}").json()
    return found


def content(person: Person, export: str) -> bytes:
    """Download a file as a browser does."""

    async def read() -> bytes:
        client = AsyncClient()
        client.cookies = person.client.cookies
        answer = await client.get(f"/api/v1/exports/{export}/content")
        assert answer.status_code == 200
        assert answer["Content-Disposition"].startswith("attachment")
        return b"".join([part async for part in answer.streaming_content])

    return asyncio.run(read())


def test_an_owner_s_export_is_made_by_the_worker_and_downloaded(alice: Person, library: Organisation) -> None:
    made = exported(alice)
    assert (made["state"], made["percent"], made["conversations"]) == ("done", 100, True)
    assert made["counts"]["messages"] == 2
    data = content(alice, made["id"])
    assert (len(data), hashlib.sha256(data).hexdigest()) == (made["bytes"], made["sha256"])
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def test_an_admin_s_export_holds_no_conversation_and_an_owner_s_is_not_theirs(
    alice: Person, bob: Person, library: Organisation
) -> None:
    Membership.objects.filter(user=bob.user).update(role="admin")
    owners = exported(alice)
    assert bob.client.get(f"/api/v1/exports/{owners['id']}").status_code == 404
    assert bob.client.get(f"/api/v1/exports/{owners['id']}/content").status_code == 404
    for body in ({}, {"person": "alice@example.org"}):
        made = exported(bob, **body)
        assert (made["conversations"], made["counts"]["messages"]) == (False, 0)
        assert b"lighthouse answer" not in content(bob, made["id"])


def test_a_person_of_another_organisation_is_nobody_here(alice: Person, charlie: Person) -> None:
    for person in ("charlie@example.org", str(charlie.user.pk), "nobody@example.org"):
        body = {"person": person}
        assert alice.client.post("/api/v1/exports", body, content_type="application/json").status_code == 404
    assert not Export.objects.exists()


def test_an_export_that_expired_goes_with_its_file(alice: Person, library: Organisation) -> None:
    made = exported(alice)
    key = Export.objects.get(pk=made["id"]).storage_key
    assert exports_storage().exists(key)
    Export.objects.filter(pk=made["id"]).update(expires=Export.objects.get(pk=made["id"]).created)
    assert alice.client.get(f"/api/v1/exports/{made['id']}/content").status_code == 410
    assert exports_expire(organisation=alice.organisation.pk) == 1
    assert not exports_storage().exists(key)
    assert alice.client.get(f"/api/v1/exports/{made['id']}").status_code == 404


def test_a_file_that_no_export_names_is_left_over(library: Organisation) -> None:
    with exports_storage().stage(io.BytesIO(b"half"), organisation=library.pk) as received:
        received.commit()
    exports_tidy()
    assert exports_storage().exists(received.key)
    assert exports_tidy(older_than_s=-1)["exports_left_over"] >= 1
    assert not exports_storage().exists(received.key)


def test_an_export_whose_file_is_gone_says_so_instead_of_offering_it(alice: Person, library: Organisation) -> None:
    made = exported(alice)
    exports_storage().delete(Export.objects.get(pk=made["id"]).storage_key)
    assert exports_tidy()["exports_missing"] == 1
    found = alice.client.get(f"/api/v1/exports/{made['id']}").json()
    assert (found["state"], found["error"]["code"]) == ("failed", "file_missing")
    assert exports_tidy()["exports_missing"] == 0


def test_exports_and_their_files_are_compared_by_check_store(alice: Person, library: Organisation) -> None:
    exports_tidy(older_than_s=-1)
    assert not any(finding.count for finding in exports_compare(repair=False).values())
    made = exported(alice)
    exports_storage().delete(Export.objects.get(pk=made["id"]).storage_key)
    with exports_storage().stage(io.BytesIO(b"left over"), organisation=library.pk) as received:
        received.commit()
    os.utime(Path(settings.DATA) / "exports" / received.key, (0, 0))
    found = exports_compare(repair=True)
    assert (found["missing_exports"].first, found["orphan_exports"].first) == ([made["id"]], [received.key])
    assert not any(finding.count for finding in exports_compare(repair=False).values())
