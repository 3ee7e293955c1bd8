"""Responses in a route's OpenAPI description that are not JSON, or not 200."""

from typing import Any

CSV, EVENTS, PNG, ZIP, ANY = "text/csv", "text/event-stream", "image/png", "application/zip", "*/*"
BYTES = {"type": "string", "format": "binary"}
# Each event has its own data, which docs/api.md describes.
SCHEMAS: dict[str, Any] = {CSV: {"type": "string"}, EVENTS: {}}
PART, UNCHANGED = {206: "The part that Range asked for"}, {304: "As the caller has it"}


def responses(*media_types: str, statuses: dict[int, str] | None = None) -> dict[str, Any]:
    """Return `openapi_extra` of a route whose 200 may have these types, in addition to JSON if it has a schema."""
    content: dict[str, Any] = {name: {"schema": SCHEMAS.get(name, BYTES)} for name in media_types}
    entries: dict[int, Any] = {200: {"content": content}}
    for status, description in (statuses or {}).items():
        entries[status] = {"description": description, **({"content": content} if status in PART else {})}
    return {"responses": entries}
