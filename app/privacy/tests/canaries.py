"""Put canary words into every column and store of an organisation, and find those that are left."""

import subprocess
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from app.accounts.models import (
    ClaimRule,
    Identity,
    Invitation,
    Organisation,
    SignIn,
    User,
)
from app.audit.trail import audit_record
from app.bots.models import BotRevision
from app.jobs.tests.running import jobs_run
from app.lib.storage import exports_storage, storage
from app.library.models import DocumentVersion
from app.library.tests.stores import points_of, stores_empty, upload, writer
from app.privacy.erasure import run as erasing
from app.privacy.models import Erasure
from tests.engines import FOLDER, POSTGRES
from tests.factories import Tenant, tenant_make
from tests.people import Person

CANARY = "zanzibarquokka"


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str, valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stores_empty()
    valkey_client().flushall()
    for picture in (settings.DATA / "cache" / "pages").glob("*.png"):
        picture.unlink()
    # The pause for other processes can be short: most of these tests have none.
    monkeypatch.setattr(erasing, "SETTLE_S", 0.05)


def valkey_client() -> "redis.Redis":
    return redis.Redis.from_url(settings.VALKEY_URL)


def jobs_do() -> None:
    assert jobs_run()


def texts_fill(organisation: Organisation, word: str) -> list[str]:
    """Write the word into every text column that has no list of values; return the columns."""
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
    from app.privacy.erasure.rows import organisation_tables

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
def tenant(acme: Organisation, alice: Person) -> Tenant:
    """Make Acme's data with the canary in every place, including a document that was ingested."""
    made = tenant_make(alice, word=CANARY)
    upload(acme, f"{CANARY}.md", f"# {CANARY}\n\nThe {CANARY} travels to the depot.\n".encode())
    jobs_do()
    assert len(points_of(acme.id)) == 1
    ClaimRule.objects.create(organisation=acme, value=CANARY)
    Identity.objects.create(user=alice.user, issuer=f"https://{CANARY}.example", subject=CANARY)
    BotRevision.objects.filter(organisation=acme).update(settings={"system_prompt": CANARY})
    audit_record(organisation=acme.id, action="bot.update", target_name=CANARY, after={"name": CANARY})
    filled = texts_fill(acme, CANARY)
    assert {"chat.Message.content", "library.Document.name", "accounts.Organisation.welcome"} <= set(filled)
    User.objects.filter(pk=alice.user.pk).update(email=f"{CANARY}@example.org")
    Invitation.objects.filter(organisation=acme).update(email=f"{CANARY}@example.org")
    pictures = settings.DATA / "cache" / "pages"
    pictures.mkdir(parents=True, exist_ok=True)
    version = DocumentVersion.objects.filter(organisation=acme).exclude(document=made.document).get()
    (pictures / f"{version.sha256}-1.png").write_bytes(CANARY.encode())
    valkey_client().rpush(f"refdesk:turn:{made.answer.pk}:events", CANARY)
    cache.set(f"of-{acme.id}", CANARY)
    cache.set(f"of-{alice.user.pk}", CANARY)
    return made


def dump() -> bytes:
    """Return the whole test database, as a backup would have it; blobs are shown in hexadecimal."""
    url = POSTGRES.url(str(connection.settings_dict["NAME"]), role="postgres")
    ended = subprocess.run([POSTGRES.program("pg_dump"), "--inserts", url], capture_output=True, check=True)
    return ended.stdout


def hits(word: str) -> list[str]:
    """Return the places where a word still is, in every spelling that a store may keep it in."""
    spellings = [word.encode(), word.encode().hex().encode()]
    found = [f"dump: {line[:300]!r}" for line in dump().splitlines() if any(each in line for each in spellings)]
    points = writer()._scroll(None, with_payload=True)
    found += [f"point {point}" for point in points if word in str(point.payload)]
    client = valkey_client()
    for name in client.scan_iter():
        value = client.dump(name) or b""
        if any(each in name + value for each in spellings):
            found.append(f"valkey {name!r}")
    for path in FOLDER.rglob("*"):
        # PostgreSQL's own files keep removed rows until they are vacuumed (docs/privacy.md).
        inside = path.relative_to(FOLDER).as_posix()
        if path.is_file() and not inside.startswith(("postgres/", "valkey/")) and word.encode() in path.read_bytes():
            found.append(f"file {inside}")
    return found


def erasure_of_acme() -> Erasure:
    return Erasure.objects.get(kind="organisation")


def run_all() -> None:
    jobs_run("erasure")


def leftovers(organisation: Organisation) -> list[str]:
    """Return files and points that still carry the organisation's id."""
    own = str(organisation.pk)
    found = [each.key for store in (storage(), exports_storage()) for each in store.objects() if own in each.key]
    return found + sorted(points_of(organisation.pk))


def erase(caller: Person, **body: Any) -> Any:
    return caller.client.post("/api/v1/erasures", body, content_type="application/json")


def receipt_of(person: Person, erasure: str) -> dict[str, Any]:
    found: dict[str, Any] = person.client.get(f"/api/v1/erasures/{erasure}").json()
    assert found["state"] == "done", found
    return found["receipt"]
