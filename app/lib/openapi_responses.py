"""What a route's description says of answers that are not JSON, or not 200."""

from typing import Any

CSV, EVENTS, PNG, ZIP, ANY = "text/csv", "text/event-stream", "image/png", "application/zip", "*/*"
BYTES = {"type": "string", "format": "binary"}
# Each event has data of its own, which docs/api.md describes.
SHAPES: dict[str, Any] = {CSV: {"type": "string"}, EVENTS: {}}
PART, UNCHANGED = {206: "The part that Range asked for"}, {304: "As the caller has it"}


def answered(*media_types: str, statuses: dict[int, str] | None = None) -> dict[str, Any]:
    """`openapi_extra` of a route whose 200 may be of these types, besides JSON if it has a schema."""
    content: dict[str, Any] = {name: {"schema": SHAPES.get(name, BYTES)} for name in media_types}
    answers: dict[int, Any] = {200: {"content": content}}
    for status, words in (statuses or {}).items():
        answers[status] = {"description": words, **({"content": content} if status in PART else {})}
    return {"responses": answers}
