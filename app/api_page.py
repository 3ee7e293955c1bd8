"""The page of the API for people, at `/api/v1/docs`: how to begin, five calls in three languages, and every call."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI, Swagger

from app.lib.csp import STRICT

EXAMPLES = Path(__file__).parent / "portal" / "api_examples"
LANGUAGES = (("sh", "curl"), ("py", "Python"), ("mjs", "JavaScript"))
# Name of the files, title, and what must be known before.
CALLS = (
    ("upload", "Upload a document", "The response comes at once; the id in it is the DOCUMENT of the next call."),
    ("wait", "Wait until it is ready", "DOCUMENT is the id that the upload answered."),
    ("search", "Search passages", ""),
    ("ask", "Ask, with a stream", 'For one object instead of a stream, send "stream": false beside the message.'),
    ("push", "Push a text to a source", "SOURCE is the id of a source of the kind push (POST /sources)."),
)
TITLES = {
    "accounts": "Caller and keys", "audit": "Audit trail", "bots": "Bots", "chat": "Questions and conversations",
    "documents": "Documents", "endpoints": "Model servers", "exports": "Exports and erasures", "search": "Search",
    "sources": "Sources", "usage": "Usage",
}  # fmt: skip

# JSON's types in words for readers.
KINDS = {"binary": "file", "date-time": "time", "uuid": "id", "string": "text", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a field of a body. kind: its JSON type, for a reader."""

    name: str
    place: str
    kind: str
    required: bool
    words: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operation as the page shows it. answers: the statuses of success."""

    id: str
    method: str
    path: str
    summary: str
    words: str
    fields: list[Field]
    answers: str


class ApiPage(Swagger):
    """The page, and at `?try` Swagger's own, where calls can be tried with the session or a key."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        if "try" in request.GET:
            settings = {**self.settings, "url": self.get_openapi_url(api, kwargs)}
            context = {"swagger_settings": orjson.dumps(settings).decode(), "api": api, "add_csrf": True}
            return render(request, "portal/api_try.html", context)
        context = {
            "address": settings_address(request),
            "examples": examples(),
            "groups": groups(api.get_openapi_schema()),
            "description": self.get_openapi_url(api, kwargs),
        }
        response = render(request, "portal/api_page.html", context)
        response["Content-Security-Policy"] = STRICT
        return response


def settings_address(request: HttpRequest) -> str:
    """Return the address that examples name: the configured one, else the one of the request."""
    return str(getattr(settings, "PUBLIC_URL", "") or f"{request.scheme}://{request.get_host()}").rstrip("/")


@cache
def examples() -> list[tuple[str, str, str, list[tuple[str, str, str]]]]:
    """Return (name, title, words, [(suffix, language, text)]) of the five calls."""
    return [
        (name, title, words, [(suffix, language, example_text(name, suffix)) for suffix, language in LANGUAGES])
        for name, title, words in CALLS
    ]


def example_text(name: str, suffix: str) -> str:
    return (EXAMPLES / f"{name}.{suffix}.txt").read_text("utf-8")


def groups(schema: dict[str, Any]) -> list[tuple[str, str, list[Call]]]:
    """Return (tag, title, calls) of an OpenAPI description, in its order."""
    found: dict[str, list[Call]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            found.setdefault(tag, []).append(_call(path, method, operation, schema))
    return [(tag, TITLES.get(tag, tag.capitalize()), calls) for tag, calls in found.items()]


def _call(path: str, method: str, operation: dict[str, Any], schema: dict[str, Any]) -> Call:
    fields = [
        Field(
            one["name"],
            {"path": "address", "query": "query", "header": "header"}.get(one["in"], one["in"]),
            _kind(one.get("schema", {}), schema),
            bool(one.get("required")),
            one.get("description", ""),
        )
        for one in operation.get("parameters", [])
    ]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        body = _resolved(content.get("schema", {}), schema)
        place = "body" if media == "application/json" else "form"
        for name, field in body.get("properties", {}).items():
            fields.append(
                Field(name, place, _kind(field, schema), name in body.get("required", []), field.get("description", ""))
            )
    words = operation.get("description", "").removeprefix(operation["summary"]).strip()
    answers = ", ".join(status for status in map(str, operation["responses"]) if status.startswith("2"))
    return Call(operation["operationId"], method.upper(), path, operation["summary"], words, fields, answers)


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref")
    if reference:
        return dict(schema["components"]["schemas"][reference.rsplit("/", 1)[-1]])
    alone = part.get("allOf") or []
    return _resolved(alone[0], schema) if len(alone) == 1 else part


def _kind(part: dict[str, Any], schema: dict[str, Any]) -> str:
    part = _resolved(part, schema)
    if "enum" in part:
        return " or ".join(map(str, part["enum"]))
    choices = [one for one in part.get("anyOf", []) if one.get("type") != "null"]
    if choices:
        return " or ".join(dict.fromkeys(_kind(one, schema) for one in choices))
    if part.get("type") == "array":
        return f"list of {_kind(part.get('items', {}), schema)}"
    kind = str(part.get("format") or part.get("type") or "any")
    return KINDS.get(kind, kind)
