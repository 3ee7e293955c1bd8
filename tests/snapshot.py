"""A snapshot of the rows and files of each organisation, in values that can be compared."""

from collections.abc import Collection, Iterator
from functools import cache

from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey, Model

from app.accounts.models import Organisation, User
from app.lib.storage import storage

# Columns that change when a row is used.
VOLATILE = ("last_used", "last_login")
# Rows that belong to no organisation.
BOX = "box"

Snapshot = dict[tuple[str, str], str]


def owned_models() -> list[type[Model]]:
    """Return the tables with a column of the organisation."""
    found = [model for model in apps.get_models() if any(each.name == "organisation" for each in model._meta.fields)]
    assert len(found) > 10
    return found


def personal_models() -> list[type[Model]]:
    """Return our tables about a person without that column: their rows count for each organisation of the person."""
    ours = [model for model in apps.get_models() if model.__module__.startswith("app.")]
    return [model for model in ours if model not in owned_models() and _column_of(model, User) is not None]


def _column_of(model: type[Model], other: type[Model]) -> str | None:
    for field in model._meta.local_fields:
        if isinstance(field, ForeignKey) and field.related_model is other:
            return field.column
    return None


@cache
def _statement() -> str:
    def of(label: str, rows: str, organisation: str, key: str) -> str:
        shown = f"(to_jsonb(t) - ARRAY[{', '.join(repr(name) for name in VOLATILE)}])::text"
        return (
            f"SELECT '{label}', coalesce(({organisation})::text, '{BOX}'), count(*),"
            f" md5(string_agg(md5({shown}), '' ORDER BY t.{key}::text)) FROM {rows} GROUP BY 2"
        )

    parts = []
    for model in owned_models():
        meta = model._meta
        assert meta.pk is not None
        parts.append(of(meta.label, f"{meta.db_table} t", "t.organisation_id", meta.pk.column))
    for model in (User, *personal_models()):
        meta = model._meta
        assert meta.pk is not None
        person = "id" if model is User else _column_of(model, User)
        rows = f"{meta.db_table} t LEFT JOIN accounts_membership m ON m.user_id = t.{person}"
        parts.append(of(meta.label, rows, "m.organisation_id", meta.pk.column))
    parts.append(of(Organisation._meta.label, f"{Organisation._meta.db_table} t", "t.id", "id"))
    return " UNION ALL ".join(parts)


def snapshot() -> Snapshot:
    """Return (table, organisation) → number and hash of the rows; ("files", organisation) → its objects."""
    found = dict(_rows())
    for stored in storage().objects():
        owner = stored.key.partition("/")[0]
        found["files", owner] = f"{found.get(('files', owner), '')} {stored.key}"
    return found


# The rows as they were last read, and which transactions there had been by then.
_read: tuple[str, Snapshot] = "", {}


def _rows() -> Snapshot:
    """Return the rows; they are read only if a transaction has written since, in 0.2 ms instead of 10."""
    global _read
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database() || pg_current_snapshot()")
        (transactions,) = cursor.fetchone()
        # Inside a transaction its own writes do not show in that.
        if transactions != _read[0] or connection.in_atomic_block:
            cursor.execute(_statement())
            rows = {(label, owner): f"{count} {hashed}" for label, owner, count, hashed in cursor.fetchall()}
            assert rows, "nothing is in sight, so that nothing could be seen to change"
            _read = transactions, rows
    return _read[1]


def changes(before: Snapshot, after: Snapshot, *, but: Collection[str] = ()) -> list[str]:
    """Return the differences outside the organisations `but`, as sentences."""
    places = sorted(before.keys() | after.keys())
    return [
        f"{label} of {owner}: {before.get((label, owner))} → {after.get((label, owner))}"
        for label, owner in places
        if owner not in but and before.get((label, owner)) != after.get((label, owner))
    ]


@cache
def _references() -> str:
    owned, parts = owned_models(), []
    for model in owned:
        for field in model._meta.local_fields:
            other = field.related_model
            if isinstance(field, ForeignKey) and other in owned:
                to = other._meta  # type: ignore[union-attr]
                assert to.pk is not None
                parts.append(
                    f"SELECT '{model._meta.label}.{field.name}', count(*) FROM {model._meta.db_table} a"
                    f" JOIN {to.db_table} b ON b.{to.pk.column} = a.{field.column}"
                    " WHERE a.organisation_id IS DISTINCT FROM b.organisation_id"
                )
    return " UNION ALL ".join(parts)


def foreign_references() -> Iterator[str]:
    """Yield a sentence for each reference that leads to another organisation."""
    with connection.cursor() as cursor:
        cursor.execute(_references())
        for label, count in cursor.fetchall():
            if count:
                yield f"{count} rows point by {label} at another organisation"
