from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.errors import RefdeskError
from app.ingest.reconciler import Report, reconcile

WORDS = {
    "missing_points": "passages that search does not have",
    "orphan_points": "vectors that belong to no passage",
    "missing_objects": "documents whose file is missing",
    "orphan_objects": "files that belong to no document",
    "stuck_documents": "documents that wait without a job",
    "other_model": "documents embedded with another model",
}


class Command(BaseCommand):
    help = "Compare rows, vectors and files; status 1 when they disagree."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--repair", action="store_true", help="as the worker does every ten minutes")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # Files of uploads that are just coming in have no row yet; beyond a minute they are left over.
            report = reconcile(repair=options["repair"], object_age_s=60)
        except RefdeskError as error:
            raise CommandError(error.message) from error
        if report is None:
            raise CommandError("The worker is comparing them just now. Try again in a moment.", returncode=2)
        if options["json"]:
            self.stdout.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())
        else:
            self._show(report)
        if not report.clean:
            raise SystemExit(1)

    def _show(self, report: Report) -> None:
        self.stdout.write(f"{report.points} vectors, {report.objects} files")
        for name, finding in report.findings().items():
            if finding.count:
                self.stdout.write(f"{finding.count} {WORDS[name]}: {', '.join(finding.first)}")
        self.stdout.write("They agree." if report.clean else "They do not agree.")
