"""Canary words in every column and store of an organisation are nowhere after its erasure, and the other one is as it
was."""

import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection

from app.accounts.audit.trail import audit_details_erase, audit_record
from app.accounts.choices import Role
from app.accounts.models import (
    AuditDetail,
    ClaimRule,
    Identity,
    Invitation,
    Membership,
    Organisation,
    SignIn,
    User,
)
from app.accounts.services import membership_create
from app.bots.models import BotRevision
from app.chat.models import Conversation, Message
from app.conftest import Person
from app.ingest.models import EmbeddingCache, Job
from app.ingest.pipeline import job_run
from app.ingest.tests.stores import leases_age, points_of, stores_agree, stores_empty, upload, writer
from app.ingest.tests.workers import worker, worker_kill, worker_start
from app.lib.storage import exports_storage, storage
from app.ops.tests.digest import changes, digest
from app.ops.tests.engines import FOLDER, POSTGRES
from app.ops.tests.waiting import wait_until
from app.ops.tests.world import World, world_make
from app.privacy import erasing
from app.privacy.erasing import erasure_run_next
from app.privacy.exporting import export_run_next
from app.privacy.models import Erasure, Export
from app.privacy.receipts import fingerprint, receipt_is_ours
from app.sources.models import Document

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "zanzibarquokka"


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str, valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stores_empty()
    valkey_client().flushall()
    for picture in (settings.DATA / "cache" / "pages").glob("*.png"):
        picture.unlink()
    # How long it is waited for other processes, of which there are none in most of these tests.
    monkeypatch.setattr(erasing, "SETTLE_S", 0.05)


def valkey_client() -> "redis.Redis":
    return redis.Redis.from_url(settings.VALKEY_URL)


def jobs_do() -> None:
    for job in Job.objects.filter(state="queued").values_list("id", flat=True):
        assert job_run(job=job)


def texts_fill(organisation: Organisation, word: str) -> list[str]:
    """The word into every text column that has none of a fixed list of values; which columns."""
    filled = []
    for model in erasing_models():
        for field in model._meta.local_fields:
            kind = field.get_internal_type()
            if kind not in ("CharField", "TextField", "SlugField") or field.choices or field.primary_key:
                continue
            if model is Organisation and field.name == "slug":
                continue
            if field.name in (
                "storage_key",
                "sha256",
                "key_hash",
                "token_hash",
                "accent",
                "prefix",
                "state",
                "plan",
                "password",
            ):
                continue
            rows = model._default_manager.filter(**of_organisation(model, organisation))
            value = word[: getattr(field, "max_length", None) or 1000]
            for number, pk in enumerate(rows.values_list("pk", flat=True)):
                model._default_manager.filter(pk=pk).update(
                    **{field.name: f"{value}{number}"[-(field.max_length or 1000) :]}
                )
            if rows.exists():
                filled.append(f"{model._meta.label}.{field.name}")
    return filled


def erasing_models() -> list[Any]:
    from app.privacy.erasure_rows import organisation_tables

    return [*organisation_tables(), Organisation, User, Identity, SignIn]


def of_organisation(model: Any, organisation: Organisation) -> dict[str, Any]:
    if model is Organisation:
        return {"pk": organisation.pk}
    if model is User:
        return {"memberships__organisation": organisation}
    if model in (Identity, SignIn):
        return {"user__memberships__organisation": organisation}
    return {"organisation": organisation}


@pytest.fixture
def world(acme: Organisation, alice: Person) -> World:
    """Acme with the canary everywhere, in a document that was really read too."""
    made = world_make(alice, word=CANARY)
    upload(acme, f"{CANARY}.md", f"# {CANARY}\n\nThe {CANARY} travels to the depot.\n".encode())
    jobs_do()
    assert len(points_of(acme.id)) == 1
    ClaimRule.objects.create(organisation=acme, value=CANARY)
    Identity.objects.create(user=alice.user, issuer=f"https://{CANARY}.example", subject=CANARY)
    BotRevision.objects.filter(organisation=acme).update(settings={"system_prompt": CANARY})
    audit_record(organisation=acme.id, action="bot.update", target_name=CANARY, after={"name": CANARY})
    filled = texts_fill(acme, CANARY)
    assert {"chat.Message.content", "sources.Document.name", "accounts.Organisation.welcome"} <= set(filled)
    User.objects.filter(pk=alice.user.pk).update(email=f"{CANARY}@example.org")
    Invitation.objects.filter(organisation=acme).update(email=f"{CANARY}@example.org")
    pictures = settings.DATA / "cache" / "pages"
    pictures.mkdir(parents=True, exist_ok=True)
    document = Document.objects.filter(organisation=acme).exclude(pk=made.document.pk).get()
    (pictures / f"{document.sha256}-1.png").write_bytes(CANARY.encode())
    valkey_client().rpush(f"refdesk:turn:{made.answer.pk}:events", CANARY)
    cache.set(f"of-{acme.id}", CANARY)
    cache.set(f"of-{alice.user.pk}", CANARY)
    return made


def dump() -> bytes:
    """The whole test database, as a backup would have it; blobs are shown in hexadecimal."""
    url = POSTGRES.url(str(connection.settings_dict["NAME"]), role="postgres")
    ended = subprocess.run([POSTGRES.program("pg_dump"), "--inserts", url], capture_output=True, check=True)
    return ended.stdout


def hits(word: str) -> list[str]:
    """Where a word still is, in whatever spelling a store may keep it."""
    spellings = [word.encode(), word.encode().hex().encode()]
    found = [f"dump: {line[:300]!r}" for line in dump().splitlines() if any(each in line for each in spellings)]
    points = writer()._scroll({"with_payload": True})
    found += [f"point {point}" for point in points if word in json.dumps(point)]
    client = valkey_client()
    for name in client.scan_iter():
        value = client.dump(name) or b""
        if any(each in name + value for each in spellings):
            found.append(f"valkey {name!r}")
    for path in FOLDER.rglob("*"):
        # PostgreSQL's own files keep removed rows until they are vacuumed: docs/privacy.md says so.
        inside = path.relative_to(FOLDER).as_posix()
        if path.is_file() and not inside.startswith(("postgres/", "valkey/")) and word.encode() in path.read_bytes():
            found.append(f"file {inside}")
    return found


def erasure_of_acme() -> Erasure:
    return Erasure.objects.get(kind="organisation")


def run_all() -> None:
    while erasure_run_next():
        pass


def leftovers(organisation: Organisation) -> list[str]:
    """Files and points that still carry the organisation's id."""
    own = str(organisation.pk)
    found = [each.key for store in (storage(), exports_storage()) for each in store.objects() if own in each.key]
    return found + sorted(points_of(organisation.pk))


def test_an_organisation_is_erased_from_every_store(
    world: World, acme: Organisation, alice: Person, charlie: Person
) -> None:
    world_make(charlie, word="submarine")
    other = digest()
    call_command("organisation_export", "acme", str(FOLDER / "taken.zip"), stderr=io.StringIO())
    (FOLDER / "taken.zip").unlink()
    places = {hit.split()[0] for hit in hits(CANARY)}
    assert places == {"dump:", "valkey", "file"}
    out = io.StringIO()
    call_command("organisation_erase", "acme", "--yes", stdout=out)
    assert hits(CANARY) == []
    assert leftovers(acme) == []
    assert changes(other, digest(), but=[str(acme.pk), "box"]) == []
    receipt = json.loads(out.getvalue())
    assert receipt_is_ours(receipt)
    counts = {(store, what): count for store, found in receipt["stores"].items() for what, count in found.items()}
    assert [place for place, count in counts.items() if count["after"]] == []
    for place in (
        ("postgresql", "chat_message"), ("postgresql", "ingest_chunk"), ("postgresql", "people.accounts"),
        ("postgresql", "audit_details"), ("vectors", "points"), ("files", "documents"), ("files", "page_pictures"),
        ("files", "exports"), ("valkey", "keys"),
    ):  # fmt: skip
        assert counts[place]["before"] > 0, place
    assert not User.objects.filter(pk=alice.user.pk).exists()
    # The world's document, which was never indexed, would not agree.
    Document.objects.filter(organisation=charlie.organisation).delete()
    stores_empty()
    stores_agree()


def test_the_audit_trail_verifies_after_an_erasure(world: World, acme: Organisation) -> None:
    call_command("organisation_erase", "acme", "--yes", stdout=io.StringIO())
    assert AuditDetail.objects.filter(organisation=acme.pk).exists()
    call_command("audit_verify", stdout=io.StringIO())


def test_a_receipt_that_somebody_changed_is_not_ours(world: World, tmp_path: Path) -> None:
    out = io.StringIO()
    call_command("organisation_erase", "acme", "--yes", stdout=out)
    path = tmp_path / "receipt.json"
    path.write_text(out.getvalue())
    call_command("receipt_verify", str(path), stdout=io.StringIO())
    path.write_text(out.getvalue().replace('"before": 1', '"before": 0', 1))
    with pytest.raises(CommandError, match="somebody changed it"):
        call_command("receipt_verify", str(path), stdout=io.StringIO())


def test_without_yes_nothing_is_erased(world: World) -> None:
    before = digest()
    with pytest.raises(CommandError, match="--yes"):
        call_command("organisation_erase", "acme", stdout=io.StringIO())
    with pytest.raises(CommandError, match="--yes"):
        call_command("person_erase", "alice@example.org", stdout=io.StringIO())
    assert changes(before, digest()) == []


@pytest.fixture
def bob_here(acme: Organisation, alice: Person, bob: Person) -> Conversation:
    """Bob with the canary in all that is his."""
    world = world_make(alice, word="lighthouse")
    world_two = world_make(Person(bob.user, acme, Role.OWNER, bob.key), word=f"{CANARY}")
    Document.objects.filter(pk=world_two.document.pk).update(name="report.txt")
    world_two.document.delete()
    storage().delete(world_two.version.storage_key)
    world_two.source.delete()
    world_two.bot.conversations.update(bot=world.bot)
    world_two.bot.delete()
    world_two.api_key.delete()
    world_two.claim_rule.delete()
    Document.objects.filter(pk=world.document.pk).update(uploaded_by=bob.user)
    User.objects.filter(pk=bob.user.pk).update(email=f"{CANARY}@example.org", name=CANARY)
    Identity.objects.create(user=bob.user, issuer="https://id.example", subject=CANARY)
    SignIn.objects.create(user=bob.user, session_key=CANARY, agent=CANARY, address="192.0.2.7")
    # What the trail tells of the world's own rows is not about Bob.
    audit_details_erase(organisation=acme.id)
    audit_record(
        organisation=acme.id, action="membership.create", target=str(bob.user.pk), target_name=f"{CANARY}@example.org"
    )
    return Conversation.objects.get(user=bob.user)


def erase(caller: Person, **body: Any) -> Any:
    return caller.client.post("/api/v1/erasures", body, content_type="application/json")


def receipt_of(person: Person, erasure: str) -> dict[str, Any]:
    found: dict[str, Any] = person.client.get(f"/api/v1/erasures/{erasure}").json()
    assert found["state"] == "done", found
    return found["receipt"]


def test_a_person_of_one_organisation_is_erased_with_the_account(
    alice: Person, bob: Person, bob_here: Conversation
) -> None:
    asked = erase(alice, person=f"{CANARY}@example.org")
    assert asked.status_code == 202, asked.content
    assert bob.client.get("/api/v1/me").status_code in (401, 404)
    run_all()
    receipt = receipt_of(alice, asked.json()["id"])
    assert receipt["stores"]["postgresql"]["messages"] == {"before": 2, "after": 0}
    assert receipt["person_fingerprint"] == fingerprint(f"{CANARY}@example.org")
    assert hits(CANARY) == []
    assert Document.objects.get(name="lighthouse.txt").uploaded_by is None
    assert not User.objects.filter(pk=bob.user.pk).exists()
    assert Message.objects.count() == 2


def test_of_a_person_in_two_organisations_only_the_one_that_asks_loses_them(
    alice: Person, bob: Person, bob_here: Conversation, charlie: Person
) -> None:
    membership_create(organisation=charlie.organisation, user=bob.user, role=bob.role)
    world_make(charlie, word="submarine")
    Conversation.objects.filter(organisation=charlie.organisation).update(user=bob.user)
    before = digest()
    asked = erase(alice, person=str(bob.user.pk))
    run_all()
    receipt = receipt_of(alice, asked.json()["id"])
    # Nothing in it tells whether there is an account elsewhere.
    assert "accounts" not in receipt["stores"]["postgresql"]
    assert Erasure.objects.filter(kind="account").count() == 0
    mine = str(alice.organisation.pk)
    assert changes(before, digest(), but=[mine, "box"]) == []
    assert not Conversation.objects.filter(organisation=mine, user=bob.user).exists()
    assert Conversation.objects.filter(organisation=charlie.organisation, user=bob.user).exists()
    assert User.objects.get(pk=bob.user.pk).is_active


def test_exports_that_hold_a_person_go_with_them(alice: Person, bob: Person, bob_here: Conversation) -> None:
    alice.client.post("/api/v1/exports", {}, content_type="application/json")
    assert export_run_next()
    done = Export.objects.get(conversations=True, requested_by=alice.user, counts__messages=4)
    assert exports_storage().exists(done.storage_key)
    erase(alice, person=str(bob.user.pk))
    run_all()
    assert not exports_storage().exists(done.storage_key)
    assert not Export.objects.filter(pk=done.pk).exists()


def test_the_last_owner_is_not_erased_and_an_admin_erases_no_owner(
    acme: Organisation, alice: Person, bob: Person
) -> None:
    assert erase(alice, person="alice@example.org").json()["error"]["code"] == "last_owner"
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    assert erase(bob, person="alice@example.org").status_code == 403
    assert erase(bob, organisation="acme", confirm="acme").status_code == 403
    assert User.objects.get(pk=alice.user.pk).is_active
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"organisation": "acme"}, 422),
        ({"organisation": "acme", "confirm": "Acme"}, 422),
        ({"organisation": "other", "confirm": "other"}, 404),
        ({"person": "charlie@example.org"}, 404),
        ({"person": "nobody@example.org"}, 404),
        ({"person": "bob@example.org", "organisation": "acme", "confirm": "acme"}, 422),
    ],
)
def test_an_erasure_names_exactly_one_thing_of_ours(
    alice: Person, bob: Person, charlie: Person, body: dict[str, str], status: int
) -> None:
    assert erase(alice, **body).status_code == status
    assert not Erasure.objects.exists()


def test_who_erases_their_organisation_is_out_at_once(alice: Person) -> None:
    assert erase(alice, organisation="acme", confirm="acme").status_code == 202
    assert alice.client.get("/api/v1/documents").status_code == 403


def test_erasing_twice_is_erasing_once(alice: Person, bob: Person, bob_here: Conversation) -> None:
    first, second = erase(alice, person=str(bob.user.pk)), erase(alice, person=str(bob.user.pk))
    assert first.json()["id"] == second.json()["id"]
    run_all()
    assert erase(alice, person=str(bob.user.pk)).status_code == 404


def test_a_person_who_was_only_invited_is_forgotten(alice: Person) -> None:
    world = world_make(alice, word=CANARY)
    asked = erase(alice, person=world.invitation.email)
    run_all()
    assert receipt_of(alice, asked.json()["id"])["stores"]["postgresql"]["invitations"] == {"before": 1, "after": 0}
    assert not Invitation.objects.exists()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "worker.log").touch()
    yield tmp_path / "worker.log"
    print((tmp_path / "worker.log").read_text()[-5000:])  # noqa: T201 (shown with a failure)


def test_killed_in_the_middle_an_erasure_is_finished_by_the_next_worker(
    world: World, acme: Organisation, alice: Person, log: Path
) -> None:
    assert erase(alice, organisation="acme", confirm="acme").status_code == 202
    process = worker_start(log)
    # The rows have gone and it waits until it looks again: vectors and files may or may not be there.
    wait_until(lambda: not Organisation.objects.filter(pk=acme.pk).exists(), what="rows gone")
    worker_kill(process, signal.SIGKILL)
    assert erasure_of_acme().state == "running"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE privacy_erasure SET lease_until = now() - interval '1 second'")
    leases_age()
    with worker(log):
        wait_until(lambda: erasure_of_acme().state == "done", what="erasure done")
    erasure = erasure_of_acme()
    assert erasure.attempt == 2
    assert erasure.receipt["stores"]["postgresql"]["chat_message"]["before"] == 2
    assert receipt_is_ours(erasure.receipt)
    assert CANARY not in log.read_text()
    assert hits(CANARY) == []
    assert leftovers(acme) == []


def test_an_organisation_is_erased_while_a_worker_reads_its_documents(
    acme: Organisation, alice: Person, log: Path
) -> None:
    text = "\n\n".join(f"# {CANARY} {n}\n\nThe {CANARY} number {n} travels to depot {n}. " * 3 for n in range(200))
    upload(acme, f"{CANARY}.md", text.encode())
    with worker(log):
        wait_until(lambda: EmbeddingCache.objects.exists(), what="embedding")
        assert erase(alice, organisation="acme", confirm="acme").status_code == 202
        wait_until(lambda: erasure_of_acme().state == "done", what="erasure done")
    assert hits(CANARY) == []
    assert leftovers(acme) == []
    assert not Membership.objects.exists()
    assert CANARY not in log.read_text()


def test_search_that_is_away_is_waited_for(world: World, alice: Person, settings: Any) -> None:
    address = settings.QDRANT_URL
    settings.QDRANT_URL = "http://127.0.0.1:9"
    erase(alice, organisation="acme", confirm="acme")
    run_all()
    row = erasure_of_acme()
    assert (row.state, row.error_code, row.receipt) == ("queued", "search_unavailable", None)
    settings.QDRANT_URL = address
    Erasure.objects.update(not_before=None)
    run_all()
    assert erasure_of_acme().state == "done"
    assert os.environ["REFDESK_QDRANT_URL"] == address
