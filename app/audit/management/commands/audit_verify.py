from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.models import Organisation
from app.accounts.selectors import organisation_get
from app.audit.trail import BREAK_ACCEPTED, audit_erasures_seal, audit_record
from app.audit.verify import ChainReport, audit_chains, audit_verify
from app.errors import RefdeskError

Heads = dict[str, tuple[int, str]]


class Command(BaseCommand):
    help = "Check the audit trail; status 1 when an entry was changed or is missing. docs/audit.md says how it holds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", metavar="SLUG", help="only this one's; otherwise every chain")
        parser.add_argument("--json", action="store_true", help="print the report, whose heads can be kept elsewhere")
        parser.add_argument("--against", type=Path, metavar="FILE", help="an earlier report that must still stand")
        parser.add_argument("--accept", metavar="REASON", help="after somebody looked into broken seals")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            slug = options["organisation"]
            chains: list[UUID | None] = [organisation_get(slug=slug).pk] if slug is not None else audit_chains()
        except RefdeskError as error:
            raise CommandError(error.message) from error
        earlier = _heads_read(options["against"])
        if slug is None:
            chains += [UUID(chain) for chain in earlier if chain and UUID(chain) not in chains]
        if options["accept"]:
            self._accept(chains, options["accept"])
        reports = [audit_verify(organisation=chain, earlier=earlier.get(str(chain or ""))) for chain in chains]
        is_whole = all(report.is_whole for report in reports)
        if options["json"]:
            payload = {"whole": is_whole, "chains": [report.as_json() for report in reports]}
            self.stdout.write(orjson.dumps(payload, option=orjson.OPT_INDENT_2).decode())
        else:
            self._show(reports)
        if not is_whole:
            raise SystemExit(1)

    def _accept(self, chains: list[UUID | None], reason: str) -> None:
        for organisation in chains:
            # The trail records a broken seal first; this entry accepts that record.
            if not audit_verify(organisation=organisation).is_whole:
                emptied = audit_erasures_seal(organisation=organisation)
                values = {"reason": reason, "emptied details": emptied}
                audit_record(organisation=organisation, action=BREAK_ACCEPTED, after=values)

    def _show(self, reports: list[ChainReport]) -> None:
        slugs = dict(Organisation.objects.values_list("pk", "slug"))
        for report in reports:
            name = "the box" if report.organisation is None else slugs.get(report.organisation, report.organisation)
            erased = f", {report.erased} of them erased" if report.erased else ""
            if report.broken:
                self.stdout.write(f"{name}: BROKEN. Entry {report.broken_at} {report.broken}.")
            elif report.seal_broken:
                numbers = ", ".join(map(str, report.seal_broken))
                self.stdout.write(f"{name}: BROKEN. The seal was not ours before entry {numbers}.")
            else:
                entries = "entry" if report.number == 1 else "entries"
                self.stdout.write(f"{name}: {report.number} {entries}{erased}, whole.")


def _heads_read(path: Path | None) -> Heads:
    """Read an earlier report: number and hash of the newest entry by organisation, blank for the box."""
    if path is None:
        return {}
    try:
        chains = orjson.loads(path.read_bytes())["chains"]
        return {chain["organisation"] or "": (int(chain["number"]), str(chain["hash"])) for chain in chains}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{path} is not a report of audit_verify --json.") from error
