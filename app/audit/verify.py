"""Verification of the audit trail: no entry changed, missing, added or moved, none missing at its end.

Two attacks are noticed only with an earlier report (`earlier`): an attacker with the box's secret key and write access
to the database can make the whole chain anew, and a restored old copy of the database lacks later entries.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from app.audit.chain import detail_hash, entry_hash, head_is_sealed, is_erased
from app.audit.models import AuditDetail, AuditEntry, AuditHead
from app.audit.trail import BREAK_ACCEPTED, SEAL_BROKEN

BATCH = 1000


@dataclass(slots=True)
class ChainReport:
    """The result for one organisation's chain (None: the box's).

    number, hash: of the newest entry, 0 and blank for an empty chain. seal_broken: entries before which the head had
    been tampered with, if nobody has accepted it.
    broken: the first fault, and `broken_at`, the entry's number.
    """

    organisation: UUID | None
    number: int = 0
    hash: str = ""
    erased: int = 0
    seal_broken: list[int] = field(default_factory=list)
    broken_at: int | None = None
    broken: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.broken and not self.seal_broken

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "organisation": str(self.organisation) if self.organisation else None}


class _Broken(Exception):
    def __init__(self, number: int, reason: str) -> None:
        self.number, self.reason = number, reason


def audit_chains() -> list[UUID | None]:
    """Return the organisations that have a trail, including deleted ones, and None for the box's own."""
    chains = set(AuditEntry.objects.order_by().values_list("organisation_id", flat=True).distinct())
    chains |= set(AuditHead.objects.values_list("organisation_id", flat=True))
    return sorted(chains, key=lambda chain: "" if chain is None else str(chain))


def audit_verify(*, organisation: UUID | None, earlier: tuple[int, str] | None = None) -> ChainReport:
    """Verify a whole chain.

    `earlier`: number and hash of its newest entry at an earlier time, which must still be there.
    """
    report = ChainReport(organisation)
    start = _head(organisation)
    try:
        for entry in _entries(organisation):
            _check(entry, report)
            if start is not None and entry.number == start.number and entry.hash != start.hash:
                raise _Broken(entry.number, "is not the one that its head names")
            if earlier is not None and entry.number == earlier[0] and entry.hash != earlier[1]:
                raise _Broken(entry.number, "is not the one that was kept elsewhere")
        _check_end(organisation, report, start)
        if earlier is not None and report.number < earlier[0]:
            raise _Broken(report.number + 1, f"is missing: {earlier[0]} entries were kept elsewhere")
    except _Broken as broken:
        report.broken_at, report.broken = broken.number, broken.reason
    return report


def _head(organisation: UUID | None) -> AuditHead | None:
    return AuditHead.objects.filter(organisation=organisation).first()


def _entries(organisation: UUID | None) -> Iterator[AuditEntry]:
    """Yield the entries in order, page by page, so that a long chain needs neither much memory nor one transaction."""
    number = -1
    while True:
        rows = AuditEntry.objects.filter(organisation=organisation, number__gt=number).select_related("detail")
        page = list(rows.order_by("number")[:BATCH])
        yield from page
        if len(page) < BATCH:
            return
        number = page[-1].number


def _check(entry: AuditEntry, report: ChainReport) -> None:
    if entry.number != report.number + 1:
        raise _Broken(report.number + 1, "is missing")
    if entry.previous != report.hash:
        raise _Broken(entry.number, "does not follow the entry before it")
    if entry.hash != entry_hash(entry):
        raise _Broken(entry.number, "was changed")
    detail: AuditDetail | None = getattr(entry, "detail", None)
    if detail is None:
        raise _Broken(entry.number, "has lost its details")
    if detail.organisation_id != entry.organisation_id:
        raise _Broken(entry.number, "has details that belong elsewhere")
    if is_erased(entry, detail.content):
        report.erased += 1
    elif detail_hash(detail.content) != entry.detail_hash:
        raise _Broken(entry.number, "has details that were changed, or emptied by somebody else")
    report.number, report.hash = entry.number, entry.hash
    if entry.action == SEAL_BROKEN:
        report.seal_broken.append(entry.number)
    elif entry.action == BREAK_ACCEPTED:
        report.seal_broken.clear()


def _check_end(organisation: UUID | None, report: ChainReport, start: AuditHead | None) -> None:
    # Read again: entries were written while the chain was being read.
    head = _head(organisation)
    if head is None:
        if report.number:
            raise _Broken(report.number, "is the newest, and its seal is missing")
        return
    if start is not None and report.number < start.number:
        raise _Broken(report.number + 1, f"is missing: there were {start.number} entries")
    if report.number > head.number:
        raise _Broken(head.number + 1, "was added without a seal")
    sealed = head_is_sealed(organisation=organisation, number=head.number, hash=head.hash, seal=head.seal)
    if head.number and not sealed:
        reason = "is named by a seal that is not ours: entries may be missing after it, or the secret key was changed"
        raise _Broken(head.number, reason)
