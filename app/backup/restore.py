"""Restore a backup into an empty box: files, then every row in one transaction, then data that can be rebuilt.

A killed restore can be run again: files that are there are recognised, and the rows are there all or none.
"""

from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from uuid import UUID

import psycopg.sql
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Exists, OuterRef, UUIDField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from app.accounts.row_security import as_owner
from app.audit.trail import audit_record
from app.backup.archive.reading import DUMP, SECRET_KEY, SECRETS_KEYS, Archive
from app.backup.create import Say, table_counts
from app.backup.pg_dump import database_load, owner_connect
from app.jobs.choices import JobState
from app.jobs.execution import job_run
from app.lib.storage import Storage, exports_storage, storage
from app.library.choices import Step, VersionState
from app.library.models import DocumentVersion
from app.library.reconcile.reconciler import Report, reconcile
from app.library.services.jobs import ingests_open
from app.llm.embeddings import environment_client
from app.privacy.exports.run import exports_tidy

# A comment on a table that every version has; removed when the restore is finished.
MARK = "refdesk restore of "
# Three attempts: a job may wait for a server that has just started.
ROUNDS = 3


class NotEmpty(Exception):
    """Raised for a box that cannot be restored into; the text has the reason."""


@dataclass
class Restored:
    rows: int = 0
    files: dict[str, int] = field(default_factory=dict)
    vectors: int = 0
    again: int = 0
    differs: list[str] = field(default_factory=list)
    report: Report | None = None


def restore_check(archive: Archive, *, keep_files: bool = False) -> bool:
    """Check that the box is empty before anything is changed. Return whether the rows of this very backup are there.

    Raises NotEmpty.
    """
    key = archive.read(SECRET_KEY).decode()
    if key != settings.SECRET_KEY:
        raise NotEmpty(
            "This box has another REFDESK_SECRET_KEY than the backup: sign-ins would end and the audit trail's seals "
            "would not hold. Give it the one that `python -m app.backup.archive secret-key FILE` prints."
        )
    _secrets_keys_check(archive)
    _migrations_check(archive)
    resumed = _database_check(archive)
    stores = {"objects": storage(), "exports": exports_storage()}
    for kind, store in stores.items():
        ours = {key for key, _ in archive.listed(kind)}
        foreign = sum(1 for one in store.objects() if one.key not in ours)
        if foreign and not keep_files:
            raise NotEmpty(f"The file store has {foreign} files that the backup does not know. "
                           "A restore goes into an empty box only.")  # fmt: skip
    return resumed


def _secrets_keys_check(archive: Archive) -> None:
    needed = archive.read(SECRETS_KEYS).decode().split(",") if archive.holds(SECRETS_KEYS) else []
    if set(needed) - set(settings.SECRETS_KEYS.split(",")):
        raise NotEmpty(
            "This box lacks keys of REFDESK_SECRETS_KEYS that the backup has: credentials that people entered could "
            "not be read. Give it those that `python -m app.backup.archive secrets-keys FILE` prints, after its own."
        )


def _migrations_check(archive: Archive) -> None:
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    for app, names in archive.manifest["migrations"].items():
        for name in names:
            if app in {label for label, _ in known} and (app, name) not in known:
                raise NotEmpty(f"The backup's tables are newer than this Refdesk ({app} {name}). Update Refdesk first.")


def _database_check(archive: Archive) -> bool:
    with owner_connect() as owner:
        found = owner.execute("SELECT obj_description(to_regclass('public.django_migrations'))").fetchone()
        mark = str(found[0]) if found and found[0] else ""
        if mark == MARK + archive.sha256:
            return True
        if mark.startswith(MARK):
            raise NotEmpty("A restore of another backup was cut short in this box. Run that one again to its end, "
                           "or begin with a new box.")  # fmt: skip
        for table in ("accounts_organisation", "accounts_user"):
            there = owner.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{table}"]).fetchone()
            if there and there[0] and owner.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608
                raise NotEmpty("The database has an organisation or people in it already. "
                               "A restore goes into an empty box only.")  # fmt: skip
    return False


def restore_run(*, archive: Archive, resumed: bool, say: Say) -> Restored:
    """Restore an archive into this box. Raises ProgramFailed, RefdeskError."""
    done = Restored()
    for kind, store in (("objects", storage()), ("exports", exports_storage())):
        done.files[kind] = _files_put(archive, kind, store, say)
    if resumed:
        # All rows are there: they are loaded in one transaction. Some may have changed since.
        say("The rows are there from a restore that was cut short")
    else:
        say("Loading the database …")
        _database_load(archive)
        done.differs = _compare(archive)
    done.rows = sum(archive.manifest["tables"].values())
    say("Bringing the tables up to date …")
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    with as_owner():
        _work_released()
    exports_tidy()
    say("Making the vectors again …")
    done.vectors, done.again = vectors_rebuild(say)
    done.report = reconcile(repair=False)
    _end(archive)
    return done


def _files_put(archive: Archive, kind: str, store: Storage, say: Say) -> int:
    wanted = {key for key, _ in archive.listed(kind)}
    count = 0
    for key, data in archive.files(kind):
        if key not in wanted:
            # The file was deleted while the backup ran.
            continue
        if not store.exists(key):
            organisation = UUID(key.partition("/")[0])
            with store.stage(cast(BinaryIO, data), organisation=organisation) as received:
                if received.key != key:
                    raise OSError(f"{kind}/{key} changed while it was read")
                received.commit()
        count += 1
        if count % 500 == 0:
            say(f"{count} of {len(wanted)} files …")
    return count


def _database_load(archive: Archive) -> None:
    with archive.opened(DUMP) as (file, _):
        database_load(
            file,
            before=_emptied(),
            after=f"COMMENT ON TABLE public.django_migrations IS '{MARK}{archive.sha256}'",
        )
    # The connection's knowledge of the tables is out of date.
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def _emptied() -> str:
    """Return SQL that removes the empty tables which a first start may have made, and their functions."""
    with owner_connect() as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        functions = owner.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
        drops = [
            psycopg.sql.SQL("DROP TABLE public.{} CASCADE").format(psycopg.sql.Identifier(name)).as_string(owner)
            for (name,) in tables
        ]
    return ";\n".join(["SELECT 1", *drops, *(f"DROP FUNCTION {name} CASCADE" for (name,) in functions)])


def _compare(archive: Archive) -> list[str]:
    """Return the tables whose counts differ from the backup's."""
    said: dict[str, int] = archive.manifest["tables"]
    with owner_connect() as owner:
        found = table_counts(owner)
    return [
        f"{name}: {said.get(name, 0)} rows in the backup, {found.get(name, 0)} here"
        for name in sorted({*said, *found})
        if found.get(name, 0) != said.get(name, 0)
    ]


def _work_released() -> None:
    """Release the leases of the backup's running jobs: they go on at once, and no death of a worker is counted."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET state = 'queued', lease_until = NULL, sent = NULL WHERE state = 'running'")
        cursor.execute("UPDATE jobs_job SET sent = NULL WHERE state = 'queued'")


def vectors_rebuild(say: Say) -> tuple[int, int]:
    """Index passages whose vectors are missing; return the counts of vectors and of documents left to the worker."""
    left = 0
    for _ in range(ROUNDS):
        reconcile(repair=True)
        active = DocumentVersion.objects.filter(pk=Cast(OuterRef("version"), UUIDField()), state=VersionState.ACTIVE)
        queued = ingests_open().filter(state=JobState.QUEUED, step=Step.EMBED)
        waiting = queued.annotate(version=KeyTextTransform("version", "payload")).filter(Exists(active))
        jobs = list(waiting.order_by("weight", "id").values_list("id", flat=True))
        for number, job in enumerate(jobs, start=1):
            job_run(job=job)
            if number % 50 == 0 or number == len(jobs):
                say(f"{number} of {len(jobs)} documents …")
        left = waiting.count()
        if not jobs or not left:
            break
    report = reconcile(repair=False)
    return (report.points if report else 0), left


def embedding_models_differ(archive: Archive) -> str:
    """Return this box's embedding model when the backup has another: then every document is embedded again."""
    model = environment_client().space().model
    theirs: list[str] = archive.manifest.get("embedding_models", [])
    return "" if set(theirs) <= {model} else model


def _end(archive: Archive) -> None:
    facts: dict[str, Any] = {"made": archive.manifest["made"], "version": archive.manifest["version"]}
    audit_record(organisation=None, action="box.restored", target_name=archive.path.name, after=facts)
    with owner_connect() as owner:
        owner.execute("COMMENT ON TABLE public.django_migrations IS NULL")
