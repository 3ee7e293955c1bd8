from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.choices import Role
from app.accounts.selectors import organisation_get
from app.accounts.services import api_key_create
from app.errors import RefdeskError


class Command(BaseCommand):
    help = "Make an API key and print it, alone, on stdout. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", choices=Role.values, default=Role.ADMIN)
        # Names that are kept free: said plainly, so that nobody believes a key to be narrower than it is.
        parser.add_argument("--scope", action="append", nargs="+", help="not there yet; see --role")
        parser.add_argument("--plan", help="not there yet, but for `unlimited`")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["scope"]:
            raise CommandError("Scopes are not there yet: give the key a role, --role viewer, editor, admin or owner.")
        if options["plan"] not in (None, "unlimited"):
            raise CommandError("Plans are not there yet: every key is unlimited.")
        try:
            organisation = organisation_get(slug=options["organisation"])
            _, key = api_key_create(organisation=organisation, name=options["name"], role=Role(options["role"]))
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.stdout.write(key)
