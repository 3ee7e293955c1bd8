from datetime import date

from ninja import Schema
from pydantic import Field


class UsageOut(Schema):
    """The sums of a group. `key`: a day, an id or a model's name; null for entries without. `name`: for people."""

    key: str | None
    name: str | None
    requests: int
    tokens_in: int
    tokens_out: int
    tokens_embedded: int


class PlanOut(Schema):
    """The organisation's plan and the rest of it this month, and what its library holds; null: no limit."""

    name: str
    title: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    requests_per_month: int | None
    tokens_per_month: int | None
    requests_left: int | None
    tokens_left: int | None
    percent: int
    low: bool
    renews: str
    documents: int | None
    documents_used: int
    document_bytes: int | None
    document_bytes_used: int
    document_pages: int | None
    document_pages_used: int
    recording_s: int | None
    recording_s_used: int


class UsageReportOut(Schema):
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    by: str
    items: list[UsageOut]
    plan: PlanOut
