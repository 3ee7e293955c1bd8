from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.choices import Role
from app.accounts.models import Membership
from app.errors import RefdeskError
from app.privacy.imports.run import organisation_import


class Command(BaseCommand):
    help = "Make a new organisation from an export (docs/privacy.md). Nothing is kept of an archive that is refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--slug", metavar="NEW", help="instead of the one in the archive")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = organisation_import(path=options["file"], slug=options["slug"], say=self.stderr.write)
        except RefdeskError as error:
            raise CommandError(error.message) from error
        if not Membership.objects.filter(organisation=made, role=Role.OWNER).exists():
            self.stderr.write("It has no owner: invite one in the administration.")
        self.stdout.write(made.slug)
