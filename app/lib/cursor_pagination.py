"""Pages of a list ordered by time: ninja's cursor pagination, in the shape of our lists and exact for equal times."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from ninja import Field, Query, Schema
from ninja.pagination import CursorPagination

from app.errors import Invalid

LIMIT, MOST = 50, 200
# The `limit` parameter of routes that build their pages themselves.
Limit: Any = Query(LIMIT, ge=1, le=MOST)  # type: ignore[type-arg]
Row = TypeVar("Row", bound=Model)


class PageIn(Schema):
    limit: int = Field(LIMIT, ge=1, le=MOST)
    cursor: str = ""


class PageOut(Schema):
    items: list[Any]
    next: str | None


class TimePagination(CursorPagination):
    """Pages of `limit` rows, ordered by a time and then by id; `payload` makes the item of a row.

    ninja distinguishes rows of equal time by an offset, up to 100, and a deleted row shifts the offset. An import
    writes thousands of rows at one time, so our cursor has the last row's time and id.
    """

    items_attribute = "items"
    Input, Output = PageIn, PageOut  # type: ignore[assignment]

    def __init__(
        self, *, ordering: tuple[str, ...] = ("-created", "-id"), payload: Callable[[Any], Any], **kwargs: Any
    ) -> None:
        super().__init__(ordering=ordering, **kwargs)
        self.payload = payload

    def paginate_queryset(self, queryset: Any, pagination: Any, request: HttpRequest, **params: Any) -> Any:
        rows, following = page_read(queryset, ordering=self.ordering, cursor=pagination.cursor, limit=pagination.limit)
        return {"items": [self.payload(row) for row in rows], "next": following}


def page_read(
    rows: "QuerySet[Row]", *, ordering: tuple[str, ...], cursor: str, limit: int
) -> tuple[list[Row], str | None]:
    """Return one page, and the cursor of the next (None on the last).

    Raises:
        Invalid: the cursor is not one of this list.
    """
    field = ordering[0].removeprefix("-")
    if cursor:
        than = "lt" if ordering[0].startswith("-") else "gt"
        value, identity = _read(cursor, timed=field != "id")
        after = Q(**{f"id__{than}": identity})
        rows = rows.filter(after if field == "id" else Q(**{f"{field}__{than}": value}) | (Q(**{field: value}) & after))
    page = list(rows.order_by(*ordering)[: limit + 1])
    if len(page) <= limit:
        return page, None
    last = page[limit - 1]
    return page[:limit], _write(getattr(last, field), last.pk)


def _write(value: Any, identity: UUID) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([str(value), str(identity)])).decode().rstrip("=")


def _read(cursor: str, *, timed: bool) -> tuple[Any, UUID]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        value, identity = orjson.loads(base64.urlsafe_b64decode(padded))
        return datetime.fromisoformat(value) if timed else value, UUID(identity)
    except (ValueError, TypeError, binascii.Error, AttributeError) as error:
        raise Invalid(details={"fields": [{"field": "cursor", "message": "not a cursor of this list"}]}) from error
