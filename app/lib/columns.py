"""Columns: the one declaration of where a model's column appears outside its table.

A model says in each column's own line where the column appears: `column(models.CharField(…), Use.API | Use.ARCHIVE)`.
From that declaration follow the API's schema and payloads (`with_columns`, `payload`), the rows of an archive
(`with_columns`, `column_names`), the column lists of plain SQL (app/lib/sql_columns.py) and the browser's types
(app/lib/typescript.py). A column without a declaration stays inside its table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Flag, auto
from functools import cache
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from django.db import connection, models
from django.db.models.fields import NOT_PROVIDED
from pydantic import BaseModel, Field, create_model

from app.lib.times import time_text

AnyField = TypeVar("AnyField", bound="models.Field[Any, Any]")
Schema = TypeVar("Schema", bound=BaseModel)


class Use(Flag):
    """Where a column appears besides its table."""

    API = auto()  # in the API's payload, in OpenAPI and in the browser's types
    ARCHIVE = auto()  # in an export and in its import
    RESULT = auto()  # in the plain statement that records the result of the row's work


@dataclass(frozen=True, slots=True)
class Declaration:
    """Properties of a column beyond its field.

    api_type: replaces the type that follows from the field. null_if_empty: the API has null for an empty text.
    bounds: the least and the greatest integer.
    """

    uses: Use
    api_type: Any = None
    null_if_empty: bool = False
    bounds: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column. `name` is its name in the API and in archives, `attname` in SQL and on the model."""

    name: str
    attname: str
    field: "models.Field[Any, Any]"
    declaration: Declaration

    @property
    def is_reference(self) -> bool:
        """Return whether the column holds the id of another row."""
        return self.name != self.attname


def column(
    field: AnyField,
    uses: Use,
    *,
    api_type: Any = None,
    null_if_empty: bool = False,
    bounds: tuple[int, int] | None = None,
) -> AnyField:
    """Declare the uses of a model's field; return the field."""
    field.declaration = Declaration(uses, api_type, null_if_empty, bounds)  # type: ignore[attr-defined]
    return field


@cache
def columns(model: type[models.Model], use: Use) -> tuple[Column, ...]:
    """Return the columns of a model that have this use, in the order of their declaration."""
    return tuple(
        Column(field.attname.removesuffix("_id"), field.attname, field, declaration)
        for field in model._meta.concrete_fields
        if (declaration := getattr(field, "declaration", None)) is not None and use in declaration.uses
    )


def column_names(model: type[models.Model], use: Use) -> tuple[str, ...]:
    """Return the names in SQL and on the model, for example `conversation_id`."""
    return tuple(each.attname for each in columns(model, use))


def value_names(model: type[models.Model], use: Use) -> set[str]:
    """Return the names of the columns that a copy of the row shares: no id, reference or time of saving."""
    return {
        each.name
        for each in columns(model, use)
        if not each.is_reference
        and not each.field.primary_key
        and not getattr(each.field, "auto_now", False)
        and not getattr(each.field, "auto_now_add", False)
    }


def column_defaults(model: type[models.Model], use: Use) -> dict[str, Any]:
    """Return the default of each column of this use, by its name in SQL."""
    return {each.attname: each.field.get_default() for each in columns(model, use)}


def payload(model: type[models.Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the API's payload of a row. values: by the names in SQL, as in `vars(row)`."""
    return {name: convert(values[attname]) for name, attname, convert in _converters(model)}


@cache
def _converters(model: type[models.Model]) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    return tuple((each.name, each.attname, _converter(each)) for each in columns(model, Use.API))


def _converter(each: Column) -> Callable[[Any], Any]:
    if isinstance(each.field, models.DateTimeField):
        return _time
    if isinstance(each.field, models.UUIDField | models.ForeignKey):
        return _identity
    if each.declaration.null_if_empty:
        return _null_if_empty
    return _same


def _time(value: datetime | str | None) -> str | None:
    return None if value is None else time_text(value)


def _identity(value: UUID | str | None) -> str | None:
    return None if value is None else str(value)


def _null_if_empty(value: Any) -> Any:
    return value or None


def _same(value: Any) -> Any:
    return value


def with_columns(model: type[models.Model], use: Use) -> Callable[[type[Schema]], type[Schema]]:
    """Decorate a schema: add the model's columns of this use, before the schema's own fields.

    A field that the schema declares itself is left unchanged, so that code can name the fields that it reads.
    """

    def decorate(schema: type[Schema]) -> type[Schema]:
        own: dict[str, Any] = {name: (info.annotation, info) for name, info in schema.model_fields.items()}
        fields: dict[str, Any] = {}
        for each in columns(model, use):
            fields[each.name] = own.pop(each.name, None) or (_type(each, use), _default(each, use))
        (parent,) = schema.__bases__
        made: type[Schema] = create_model(
            schema.__name__, __base__=parent, __module__=schema.__module__, __doc__=schema.__doc__, **fields, **own
        )
        return made

    return decorate


def _default(each: Column, use: Use) -> Any:
    """Return the default of a field; `...` when it has none. A column newer than an archive is missing there."""
    later = use is Use.ARCHIVE and each.field.db_default is not NOT_PROVIDED
    return each.field.get_default() if later else ...


def _type(each: Column, use: Use) -> Any:
    field, declaration = each.field, each.declaration
    if use is Use.API and declaration.api_type is not None:
        return declaration.api_type
    kind = _choices(each, use) if field.choices else _plain_type(each, use)
    empty_is_null = use is Use.API and declaration.null_if_empty
    return kind | None if field.null or empty_is_null else kind


def _choices(each: Column, use: Use) -> Any:
    values = [value for value, _ in each.field.flatchoices]
    # An archive has a text as stored, so an empty one is allowed.
    return Literal[tuple([*values, ""] if each.field.blank and use is Use.ARCHIVE else values)]


def _plain_type(each: Column, use: Use) -> Any:
    field = each.field
    if isinstance(field, models.CharField | models.TextField):
        limited = use is Use.ARCHIVE and field.max_length is not None
        return Annotated[str, Field(max_length=field.max_length)] if limited else str
    if isinstance(field, models.IntegerField):
        low, high = each.declaration.bounds or connection.ops.integer_field_range(field.get_internal_type())
        return Annotated[int, Field(ge=low, le=high)] if use is Use.ARCHIVE else int
    if isinstance(field, models.DateTimeField):
        return datetime if use is Use.ARCHIVE else str
    for kind, python in _TYPES.items():
        if isinstance(field, kind):
            return python
    raise TypeError(f"no type is known for the column {each.attname}")


_TYPES: dict[type, Any] = {
    models.UUIDField: UUID,
    models.ForeignKey: UUID,
    models.FloatField: float,
    models.BooleanField: bool,
    models.JSONField: dict[str, Any],
}
