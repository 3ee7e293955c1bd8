from typing import Any, Literal

from django.http import HttpResponse
from ninja import Query, Router, Schema

from app.accounts.auth import ApiRequest, policy
from app.accounts.choices import Role, Scope
from app.audit.selectors import audit_csv, audit_list, audit_payload
from app.lib.cursor_pagination import Limit, page_read
from app.lib.openapi_responses import CSV, responses
from app.lib.strict_types import Time

router = Router(tags=["organisation"])
# Rows of one CSV file; a header has the cursor of the rest.
CSV_ROWS = 10_000
NEWEST = ("-at", "-id")
FROM: Any = Query(None, alias="from")  # type: ignore[type-arg]
TO: Any = Query(None, alias="to")  # type: ignore[type-arg]


class AuditActorOut(Schema):
    kind: str
    id: str | None
    name: str | None
    address: str | None


class AuditTargetOut(Schema):
    kind: str | None
    id: str | None
    name: str | None


class AuditOut(Schema):
    id: str
    number: int
    at: str
    action: str
    actor: AuditActorOut
    target: AuditTargetOut
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    erased: bool


class AuditPageOut(Schema):
    items: list[AuditOut]
    next: str | None


@router.get("/audit", auth=policy(Role.ADMIN, Scope.ADMIN), response=AuditPageOut, openapi_extra=responses(CSV))
def list_audit(
    request: ApiRequest,
    limit: int = Limit,
    cursor: str = "",
    action: str = "",
    actor: str = "",
    target: str = "",
    since: Time | None = FROM,
    until: Time | None = TO,
    format: Literal["json", "csv"] = "json",
) -> Any:
    """Return the changes and their actors, the newest first.

    `actor` and `target` are ids or names; `action` may be a kind.

    An action is `bot.update`, a whole kind `bot`. With `format=csv` the response is a file of up to 10,000 entries;
    when there are more, `X-Next-Cursor` is the cursor of the rest.
    """
    rows = audit_list(
        organisation=request.caller.organisation_id,
        action=action.replace("\0", ""),
        actor=actor.replace("\0", ""),
        target=target.replace("\0", ""),
        since=since,
        until=until,
    )
    if format == "json":
        page, cursor_next = page_read(rows, ordering=NEWEST, cursor=cursor, limit=limit)
        return {"items": [audit_payload(entry) for entry in page], "next": cursor_next}
    entries, cursor_next = page_read(rows, ordering=NEWEST, cursor=cursor, limit=CSV_ROWS)
    response = HttpResponse(audit_csv(entries), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{request.caller.organisation_slug}.csv"'
    if cursor_next:
        response["X-Next-Cursor"] = cursor_next
    return response
