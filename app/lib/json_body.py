"""JSON bodies of requests: what cannot be read answers 400 with the place where it broke."""

from typing import Any

import orjson
from django.http import HttpRequest

from app.errors import RefdeskError

JSON, FORM = "application/json", "multipart/form-data"


def content_type_check(request: HttpRequest, *expected: str) -> None:
    """Raise RefdeskError wrong_content_type unless the request's content type is an expected one.

    A request without the header is read as the first one expected.
    """
    sent = (request.content_type or "").lower()
    if sent in expected or (not sent and expected[0] == JSON):
        return
    raise RefdeskError(
        "wrong_content_type",
        f"Send the body as {' or '.join(expected)}, not as {sent[:100] or 'nothing'}.",
        details={"expected": list(expected), "sent": sent[:100]},
    )


def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object of a request's body.

    orjson refuses what Python's parser lets through: half surrogate pairs, and nesting until the stack ends.

    Raises:
        RefdeskError: wrong_content_type, malformed_body with line, column and offset, body_not_object.
    """
    content_type_check(request, JSON)
    body = request.body
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(body, error) from error
    if not isinstance(values, dict):
        kind = {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}.get(type(values), "a number")
        raise RefdeskError("body_not_object", f"The body of the request is {kind}, not an object as {{…}}.")
    return values


def _malformed(body: bytes, error: orjson.JSONDecodeError) -> RefdeskError:
    """Return the error with its place: lines and columns from 1, columns in characters, the offset in bytes."""
    if not body.strip():
        return RefdeskError("malformed_body", "The body of the request is empty.")
    try:
        text = body.decode()
        before, reason = text[: error.pos], error.msg.partition(":")[0]
        offset = len(before.encode())
    except UnicodeDecodeError as broken:
        offset, reason = broken.start, "these bytes are not UTF-8"
        before = body[:offset].decode()
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return RefdeskError(
        "malformed_body",
        f"The body of the request is not JSON: {reason}, at line {line}, column {column}.",
        details={"reason": reason, "line": line, "column": column, "offset": offset},
    )
