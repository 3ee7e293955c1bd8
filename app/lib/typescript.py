"""TypeScript interfaces of API schemas, so that the browser's types follow from the schemas."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

LINE = 116  # characters of a comment line


@dataclass(frozen=True, slots=True)
class TypeScript:
    """Annotation of a schema's field with its TypeScript type, where Python's is less exact, such as a dictionary."""

    type: str


_PLAIN: dict[Any, str] = {
    str: "string",
    UUID: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    Any: "unknown",
    NoneType: "null",
}


def interfaces(schemas: Sequence[type[BaseModel]], *, names: Mapping[str, str] | None = None) -> str:
    """Return the interfaces of schemas. An interface has its schema's name without Out, or the one in `names`.

    Raises:
        TypeError: a field has a type that has no TypeScript equivalent here.
    """
    called = {schema: (names or {}).get(schema.__name__, schema.__name__.removesuffix("Out")) for schema in schemas}
    return "\n".join(_interface(schema, called) for schema in schemas)


def _interface(schema: type[BaseModel], called: Mapping[Any, str]) -> str:
    lines = _comment(schema.__doc__) if schema.__doc__ else []
    lines.append(f"export interface {called[schema]} {{")
    lines += [f"  {name}: {_field(info, called)};" for name, info in schema.model_fields.items()]
    return "\n".join([*lines, "}\n"])


def _comment(text: str) -> list[str]:
    text = " ".join(text.split())
    if len(text) <= LINE:
        return [f"/** {text} */"]
    return ["/**", *(f" * {line}" for line in textwrap.wrap(text, LINE, break_on_hyphens=False)), " */"]


def _field(info: FieldInfo, called: Mapping[Any, str]) -> str:
    own = next((mark.type for mark in info.metadata if isinstance(mark, TypeScript)), None)
    return own or _type(info.annotation, called)


def _type(annotation: Any, called: Mapping[Any, str]) -> str:
    if annotation in called:
        return called[annotation]
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (Union, UnionType):
        return " | ".join(_type(each, called) for each in arguments)
    if origin is list:
        inner = _type(arguments[0], called)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if origin is tuple:
        return f"[{', '.join(_type(each, called) for each in arguments)}]"
    if origin is dict:
        return f"Record<string, {_type(arguments[1], called)}>"
    raise TypeError(f"TypeScript has no type for {annotation!r}")
