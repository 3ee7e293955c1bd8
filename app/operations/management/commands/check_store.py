from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.errors import RefdeskError
from app.library.reconcile.reconciler import Finding, Report, reconcile
from app.privacy.exports.run import exports_left_over, exports_missing, exports_tidy

# Files being uploaded have no row yet; after a minute without one they are left over.
LEFT_OVER_S = 60
WORDS = {
    "missing_points": "passages that search does not have",
    "orphan_points": "vectors that belong to no passage",
    "missing_objects": "documents whose file is missing",
    "orphan_objects": "files that belong to no document",
    "stuck_documents": "documents that wait without a job",
    "other_model": "documents embedded with another model",
    "left_over_indexes": "indexes of former embedding models",
    "missing_exports": "exports whose file is missing",
    "orphan_exports": "files of exports that no export names",
}


class Command(BaseCommand):
    help = "Compare rows, vectors and files; status 1 when they disagree."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")
        parser.add_argument(
            "--repair", action="store_true", help="as the worker does, every ten minutes and each night"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = reconcile(repair=options["repair"], object_age_s=LEFT_OVER_S)
            exports = exports_compare(repair=options["repair"]) if report else {}
        except RefdeskError as error:
            raise CommandError(error.message) from error
        if report is None:
            raise CommandError("The worker is comparing them just now. Try again in a moment.", returncode=2)
        clean = report.clean and not any(finding.count for finding in exports.values())
        if options["json"]:
            found = report.as_json() | {name: asdict(finding) for name, finding in exports.items()} | {"clean": clean}
            self.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        else:
            self._show(report, report.findings() | exports)
            self.stdout.write("They agree." if clean else "They do not agree.")
        if not clean:
            raise SystemExit(1)

    def _show(self, report: Report, findings: dict[str, Finding]) -> None:
        self.stdout.write(f"{report.points} vectors, {report.objects} files")
        for name, finding in findings.items():
            if finding.count:
                self.stdout.write(f"{finding.count} {WORDS[name]}: {', '.join(finding.first)}")


def exports_compare(*, repair: bool) -> dict[str, Finding]:
    """Return the differences before the repair."""
    found = {
        "missing_exports": Finding.of(exports_missing()),
        "orphan_exports": Finding.of(exports_left_over(older_than_s=LEFT_OVER_S)),
    }
    if repair:
        exports_tidy(older_than_s=LEFT_OVER_S)
    return found
