from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.selectors import organisation_get
from app.errors import RefdeskError
from app.privacy.exports.run import archive_write, organisation_archive


class Command(BaseCommand):
    help = "Write everything that an organisation has to one file (docs/privacy.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organisation", metavar="SLUG")
        parser.add_argument("file", type=Path)
        parser.add_argument("--without-conversations", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = organisation_get(slug=options["organisation"])
            pieces = organisation_archive(organisation.pk, conversations=not options["without_conversations"])
            size = archive_write(pieces, options["file"])
        except RefdeskError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error.strerror}.") from error
        self.stderr.write(f"{options['file']}: {size} bytes")
