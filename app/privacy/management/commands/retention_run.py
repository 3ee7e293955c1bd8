from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.selectors import organisation_get
from app.errors import RefdeskError
from app.privacy.retention.run import retention_run


class Command(BaseCommand):
    help = "Remove now what is older than organisations keep it, as the worker does each night."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", metavar="SLUG")
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            slug = options["organisation"]
            organisation = organisation_get(slug=slug).pk if slug is not None else None
        except RefdeskError as error:
            raise CommandError(error.message) from error
        found = retention_run(organisation=organisation, dry_run=options["dry_run"], again=True)
        if not found:
            raise CommandError("The worker is at it just now. Try again in a moment.", returncode=2)
        for name, counts in found.items():
            words = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items() if count)
            self.stdout.write(f"{name or 'the box itself'}: {words or 'nothing'}")
