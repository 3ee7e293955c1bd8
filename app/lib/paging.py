"""Pages of a list by keyset: a cursor names the last row seen, so that rows which come or go move nothing."""

import base64
import binascii
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db.models import Model, Q, QuerySet
from ninja import Query

from app.errors import Invalid

LIMIT, MOST = 50, 200
# How every route of a list takes its `limit`.
Limit: Any = Query(LIMIT, ge=1, le=MOST)  # type: ignore[type-arg]
Row = TypeVar("Row", bound=Model)


def page_read(
    rows: "QuerySet[Row]",
    *,
    cursor: str = "",
    limit: int = LIMIT,
    by: str = "created",
    descending: bool = True,
    most: int = MOST,
) -> tuple[list[Row], str | None]:
    """One page, ordered by the time `by` (or by "id") and then by id, and the cursor of the next (None on the last).

    Raises:
        Invalid: the cursor or the limit cannot be used.
    """
    if not 1 <= limit <= most:
        raise Invalid(details={"fields": [{"field": "limit", "message": f"must be 1 to {most}"}]})
    sign, than = ("-", "lt") if descending else ("", "gt")
    if cursor:
        value, identity = _read(cursor, timed=by != "id")
        after = Q(**{f"id__{than}": identity})
        rows = rows.filter(after if by == "id" else Q(**{f"{by}__{than}": value}) | (Q(**{by: value}) & after))
    order = [f"{sign}id"] if by == "id" else [f"{sign}{by}", f"{sign}id"]
    page = list(rows.order_by(*order)[: limit + 1])
    if len(page) <= limit:
        return page, None
    last = page[limit - 1]
    return page[:limit], _write(getattr(last, by), last.pk)


def _write(value: Any, identity: UUID) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([str(value), str(identity)])).decode().rstrip("=")


def _read(cursor: str, *, timed: bool) -> tuple[Any, UUID]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        value, identity = orjson.loads(base64.urlsafe_b64decode(padded))
        return datetime.fromisoformat(value) if timed else value, UUID(identity)
    except (ValueError, TypeError, binascii.Error, AttributeError) as error:
        raise Invalid(details={"fields": [{"field": "cursor", "message": "not a cursor of this list"}]}) from error
