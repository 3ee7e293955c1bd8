"""Refuse what a plan has no room for: number and bytes when a file arrives, pages and minutes when it was read.

Whoever adds to the library of an organisation with limits holds the organisation's lock until the rows are committed,
so that many at once cannot pass a limit together. The lock is taken before any other.
"""

from uuid import UUID

from django.db import connection

from app.errors import RefdeskError
from app.library.selectors.limits import LibraryStanding, LimitKind, amount_of_text, amount_text, library_standings

# Locks only where there is something to check, in the round trip that finds it out.
_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))
FROM accounts_organisation o JOIN plans_plan p ON p.name = o.plan_id
WHERE o.id = %(organisation)s
  AND COALESCE(p.documents, p.document_mb, p.document_pages, p.recording_minutes) IS NOT NULL
"""


def limits_lock(*, organisation: UUID) -> bool:
    """Lock an organisation's limits until this transaction ends; return False, without a lock, if it has none."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"name": f"library-limits:{organisation}", "organisation": organisation})
        return cursor.fetchone() is not None


def arrival_check(*, organisation: UUID, document: UUID | None, size: int) -> None:
    """Check that a new document, or new bytes of one, have room. Call it with the lock.

    Raises:
        RefdeskError: library_full.
    """
    standing = _standing(organisation, document)
    _room_check(standing, LimitKind.DOCUMENTS, 1)
    _room_check(standing, LimitKind.BYTES, size)


def contents_check(*, organisation: UUID, document: UUID, pages: int | None, seconds: int | None) -> None:
    """Check that what was read of a document has room. Call it with the lock.

    Raises:
        RefdeskError: library_full.
    """
    standing = _standing(organisation, document)
    _room_check(standing, LimitKind.PAGES, pages or 0)
    _room_check(standing, LimitKind.SECONDS, seconds or 0)


def _standing(organisation: UUID, document: UUID | None) -> LibraryStanding:
    return library_standings(organisations=[organisation], besides=document)[0]


def _room_check(standing: LibraryStanding, kind: LimitKind, adds: int) -> None:
    limit = standing.limit(kind)
    if limit.most is None or not adds or limit.used + adds <= limit.most:
        return
    if kind == LimitKind.DOCUMENTS:
        state = amount_of_text(kind, limit.used, limit.most, of="of the")
        message = f"Your organisation has {state} that its plan allows."
    else:
        left = amount_of_text(kind, limit.left or 0, limit.most, of="of the")
        message = f"This file has {amount_text(kind, adds)}. {left} that your plan allows are left."
    details = {"limit": kind.value, "most": limit.most, "used": limit.used, "plan": standing.plan}
    raise RefdeskError("library_full", message, details=details)
