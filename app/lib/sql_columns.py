"""Parts of plain SQL that follow from a model's columns, for the few hand-written statements."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.db import connection, models
from django.db.models.fields import NOT_PROVIDED

from app.lib.columns import Use, columns


def insert_parts(model: type[models.Model], values: Mapping[str, str]) -> tuple[str, str]:
    """Return the column list and the list of expressions of an INSERT … SELECT.

    values: an expression by column. A column without one gets its default.

    Raises:
        ValueError: a name is no column of the model, or a column has neither a value nor a default.
    """
    fields = _fields(model)
    if unknown := set(values) - set(fields):
        raise ValueError(f"no columns of {model.__name__}: {', '.join(sorted(unknown))}")
    parts = {name: values.get(name) or _default(field) for name, field in fields.items()}
    given = {name: part for name, part in parts.items() if part}
    return ", ".join(map(quoted, given)), ", ".join(given.values())


def _fields(model: type[models.Model]) -> dict[str, "models.Field[Any, Any]"]:
    return {field.attname: field for field in model._meta.concrete_fields}


def _default(field: "models.Field[Any, Any]") -> str:
    """Return the literal of the column's default; empty when PostgreSQL sets it."""
    if field.db_default is not NOT_PROVIDED or field.null:
        return ""
    value = field.get_default()
    if isinstance(value, str) and "'" not in value and "%" not in value:
        return f"'{value}'"
    if isinstance(value, int):
        return str(int(value)) if not isinstance(value, bool) else str(value).lower()
    if value in ({}, []):
        return f"'{orjson.dumps(value).decode()}'"
    raise ValueError(f"the column {field.column} of {field.model.__name__} needs a value")


def set_parts(model: type[models.Model], use: Use = Use.RESULT) -> str:
    """Return the list of an UPDATE … SET: each column of this use from the parameter of its name."""
    return ", ".join(f"{quoted(each.attname)} = %({each.attname})s{_cast(each.field)}" for each in columns(model, use))


def record_parts(model: type[models.Model], names: Iterable[str]) -> str:
    """Return the column definitions of jsonb_to_recordset."""
    fields = _fields(model)
    return ", ".join(f"{quoted(name)} {fields[name].db_type(connection)}" for name in names)


def set_values(model: type[models.Model], values: Mapping[str, Any], use: Use = Use.RESULT) -> dict[str, Any]:
    """Return the parameters of `set_parts`."""
    return {each.attname: _parameter(each.field, values[each.attname]) for each in columns(model, use)}


def _parameter(field: "models.Field[Any, Any]", value: Any) -> Any:
    if isinstance(field, models.JSONField):
        return orjson.dumps(value).decode()
    # PostgreSQL stores no NUL.
    return value.replace("\x00", "") if isinstance(value, str) else value


def _cast(field: "models.Field[Any, Any]") -> str:
    return "::jsonb" if isinstance(field, models.JSONField) else ""


def quoted(name: str) -> str:
    return f'"{name}"'
