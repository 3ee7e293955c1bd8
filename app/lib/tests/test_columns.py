"""The declaration of a column, and what follows from it in payloads, schemas, archives, SQL and TypeScript."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import models
from django.test.utils import isolate_apps
from ninja import Schema
from pydantic import BaseModel, ConfigDict, ValidationError

from app.lib.columns import Use, column, column_defaults, column_names, columns, payload, value_names, with_columns
from app.lib.ids import new_id
from app.lib.sql_columns import insert_parts, record_parts, set_parts, set_values
from app.lib.typescript import interfaces

EVERYWHERE = Use.API | Use.ARCHIVE | Use.RESULT


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


@pytest.fixture
def shelf() -> Iterator[type[models.Model]]:
    with isolate_apps("app.chat"):

        class Shelf(models.Model):
            id = column(models.UUIDField(primary_key=True, default=new_id), Use.API | Use.ARCHIVE)
            room = column(models.ForeignKey("self", models.CASCADE), Use.ARCHIVE)
            label = column(models.CharField(max_length=8), EVERYWHERE)
            note = column(models.CharField(max_length=8, default="", db_default=""), EVERYWHERE, null_if_empty=True)
            kind = column(models.CharField(max_length=9, choices=[("open", "Open"), ("locked", "Locked")]), EVERYWHERE)
            height = column(models.PositiveIntegerField(default=3), EVERYWHERE, bounds=(1, 9))
            facts = column(models.JSONField(default=dict), EVERYWHERE, api_type=dict[str, int])
            weighed = column(models.FloatField(null=True), EVERYWHERE)
            created = column(models.DateTimeField(auto_now_add=True), Use.API | Use.ARCHIVE)
            secret = models.CharField(max_length=9, default="")

            class Meta:
                app_label = "chat"

        yield Shelf


VALUES: dict[str, Any] = {
    "id": UUID(int=7),
    "room_id": UUID(int=8),
    "label": "A",
    "note": "",
    "kind": "open",
    "height": 2,
    "facts": {"n": 1},
    "weighed": None,
    "created": datetime(2026, 1, 2, tzinfo=UTC),
    "secret": "s",
}


def test_a_payload_has_the_columns_of_the_api_and_no_other(shelf: type[models.Model]) -> None:
    assert payload(shelf, VALUES) == {
        "id": str(UUID(int=7)),
        "label": "A",
        "note": None,
        "kind": "open",
        "height": 2,
        "facts": {"n": 1},
        "weighed": None,
        "created": "2026-01-02T00:00:00.000Z",
    }


def test_a_schema_takes_the_payload_and_keeps_its_own_fields_last(shelf: type[models.Model]) -> None:
    @with_columns(shelf, Use.API)
    class ShelfOut(Schema):
        books: list[str]

    assert list(ShelfOut.model_fields) == [*(each.name for each in columns(shelf, Use.API)), "books"]
    assert ShelfOut.model_validate({**payload(shelf, VALUES), "books": []}).model_dump()["kind"] == "open"
    with pytest.raises(ValidationError, match="kind"):
        ShelfOut.model_validate({**payload(shelf, VALUES), "kind": "glass", "books": []})


def test_the_browser_s_types_follow_from_the_schema(shelf: type[models.Model]) -> None:
    @with_columns(shelf, Use.API)
    class ShelfOut(Schema):
        """A shelf."""

        books: list[tuple[int, int] | None]

    assert interfaces([ShelfOut]) == (
        "/** A shelf. */\n"
        "export interface Shelf {\n"
        "  id: string;\n"
        "  label: string;\n"
        "  note: string | null;\n"
        '  kind: "open" | "locked";\n'
        "  height: number;\n"
        "  facts: Record<string, number>;\n"
        "  weighed: number | null;\n"
        "  created: string;\n"
        "  books: ([number, number] | null)[];\n"
        "}\n"
    )


def test_a_row_of_an_archive_is_checked_by_what_its_columns_can_hold(shelf: type[models.Model]) -> None:
    @with_columns(shelf, Use.ARCHIVE)
    class ShelfRow(Row):
        room: UUID

    line = {name.removesuffix("_id"): VALUES[name] for name in column_names(shelf, Use.ARCHIVE)}
    assert ShelfRow.model_validate(line).model_dump() == line
    wrong = {"label": "too long for it", "kind": "glass", "height": 10, "weighed": "much", "secret": "s"}
    for name, value in wrong.items():
        with pytest.raises(ValidationError, match=name):
            ShelfRow.model_validate({**line, name: value})


def test_an_archive_of_before_a_column_came_can_still_be_read(shelf: type[models.Model]) -> None:
    @with_columns(shelf, Use.ARCHIVE)
    class ShelfRow(Row):
        pass

    line = {name.removesuffix("_id"): VALUES[name] for name in column_names(shelf, Use.ARCHIVE)}
    old = ShelfRow.model_validate({name: value for name, value in line.items() if name != "note"})
    assert old.model_dump()["note"] == ""
    with pytest.raises(ValidationError, match="label"):
        ShelfRow.model_validate({name: value for name, value in line.items() if name != "label"})


def test_a_copy_takes_what_is_no_id_reference_or_time_of_saving(shelf: type[models.Model]) -> None:
    assert value_names(shelf, Use.ARCHIVE) == {"label", "note", "kind", "height", "facts", "weighed"}


def test_an_insert_names_each_column_that_has_no_default_of_its_own(shelf: type[models.Model]) -> None:
    names, parts = insert_parts(
        shelf,
        {"id": "%(id)s", "room_id": "r.id", "label": "%(label)s", "kind": "'open'", "created": "now()"},
    )
    assert names == '"id", "room_id", "label", "kind", "height", "facts", "created", "secret"'
    assert parts == "%(id)s, r.id, %(label)s, 'open', 3, '{}', now(), ''"


def test_an_insert_that_forgets_or_invents_a_column_is_refused(shelf: type[models.Model]) -> None:
    with pytest.raises(ValueError, match="created of Shelf needs a value"):
        insert_parts(shelf, {"id": "%(id)s", "room_id": "r.id", "label": "%(label)s", "kind": "'open'"})
    with pytest.raises(ValueError, match="no columns of Shelf: colour"):
        insert_parts(shelf, {"colour": "'red'"})


def test_an_update_sets_the_columns_of_the_result_from_their_parameters(shelf: type[models.Model]) -> None:
    assert set_parts(shelf) == (
        '"label" = %(label)s, "note" = %(note)s, "kind" = %(kind)s, "height" = %(height)s, '
        '"facts" = %(facts)s::jsonb, "weighed" = %(weighed)s'
    )
    values = column_defaults(shelf, Use.RESULT) | {"label": "a\x00b", "kind": "open", "facts": {"n": 1}}
    assert set_values(shelf, values) == {
        "label": "ab",
        "note": "",
        "kind": "open",
        "height": 3,
        "facts": '{"n":1}',
        "weighed": None,
    }


def test_a_record_has_the_types_of_the_columns(shelf: type[models.Model]) -> None:
    names = ["id", "label", "height", "facts", "weighed", "created"]
    assert record_parts(shelf, names) == (
        '"id" uuid, "label" varchar(8), "height" integer, "facts" jsonb, "weighed" double precision, '
        '"created" timestamp with time zone'
    )
