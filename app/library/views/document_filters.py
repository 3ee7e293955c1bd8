"""Filters and order of the list of documents, as its address has them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from app.errors import NotFound
from app.library.choices import DocumentState
from app.library.models import Document, Source
from app.library.parsers.media import format_of
from app.library.selectors.documents import SORTS, document_get, document_list, media_types_present
from app.library.selectors.sources import source_named

NEWEST_FIRST = "-created"
# Columns of which people want the largest first.
_LARGEST_FIRST = ("updated", "pages", "chunks")


@dataclass(frozen=True, slots=True)
class ListFilters:
    """What a list of documents is narrowed to. kinds: media types that the organisation has."""

    organisation: UUID
    q: str
    state: str
    source: Source | None
    holder: Document | None
    kind: str
    sort: str
    kinds: tuple[str, ...]

    @property
    def are_set(self) -> bool:
        return bool(self.address())

    def documents(self) -> QuerySet[Document]:
        return document_list(
            organisation=self.organisation,
            state=self.state or None,
            source=self.source,
            q=self.q,
            parent=self.holder.id if self.holder else None,
            media_type=self.kind,
            sort=self.sort,
        )

    def address(self, *, sorted_too: bool = False) -> str:
        """Return the filters for the address of another page of the list, with an `&` at the end."""
        values: dict[str, Any] = {
            "q": self.q,
            "state": self.state,
            "source": self.source.id if self.source else "",
            "kind": self.kind,
            "parent": self.holder.id if self.holder else "",
            "sort": self.sort if sorted_too and self.sort != NEWEST_FIRST else "",
        }
        filters = {name: value for name, value in values.items() if value}
        return f"{urlencode(filters)}&" if filters else ""

    def column(self, name: str, title: str, classes: str) -> dict[str, str]:
        """Return a column's head: a link that sorts by it, and the other way round at the second click."""
        now = {name: "ascending", f"-{name}": "descending"}.get(self.sort, "")
        first = f"-{name}" if name in _LARGEST_FIRST else name
        following = first if not now else name if now == "descending" else f"-{name}"
        return {"title": title, "classes": classes, "now": now, "address": f"?{self.address()}sort={following}"}

    def kind_names(self) -> list[tuple[str, str]]:
        """Return the kinds of file with their names, by name."""
        return sorted(((each, _kind_name(each)) for each in self.kinds), key=lambda pair: pair[1].lower())


def filters_read(request: HttpRequest, *, organisation: UUID) -> ListFilters:
    """Return the filters of an address; values that nothing has are left out."""
    given = request.GET
    kinds = tuple(media_types_present(organisation=organisation))
    state, kind, sort = given.get("state", ""), given.get("kind", ""), given.get("sort", "")
    named = given.get("source", "")[:200]
    return ListFilters(
        organisation=organisation,
        q=given.get("q", "").strip()[:200],
        state=state if state in DocumentState.values else "",
        source=source_named(organisation=organisation, name=named) if named else None,
        holder=_holder(organisation, given.get("parent", "")),
        kind=kind if kind in kinds else "",
        sort=sort if sort.removeprefix("-") in SORTS else NEWEST_FIRST,
        kinds=kinds,
    )


def _holder(organisation: UUID, id: str) -> Document | None:
    try:
        return document_get(organisation=organisation, document=UUID(id)) if id else None
    except (ValueError, NotFound):
        return None


def _kind_name(media_type: str) -> str:
    """Return the name of a kind of file for a menu: "Word document"."""
    entry = format_of(media_type)
    if entry is None:
        return media_type
    label = entry.label.removeprefix("a ").removeprefix("an ")
    # Pictures, sound and video are families of formats.
    more = f" ({media_type.partition('/')[2].upper()})" if entry.media_type.endswith("/*") else ""
    return label[:1].upper() + label[1:] + more
