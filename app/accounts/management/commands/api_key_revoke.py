from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.keys import api_key_find, api_key_revoke
from app.accounts.selectors import organisation_get
from app.errors import RefdeskError


class Command(BaseCommand):
    help = "End an API key for good; programs that use it are refused within two seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="its prefix, as rk_Ab3dEf, or its id; never the key itself")
        parser.add_argument("--organisation", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = organisation_get(slug=options["organisation"]).pk
            row = api_key_find(organisation=organisation, named=options["key"])
            api_key_revoke(organisation=organisation, api_key=row.pk)
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Revoked: {row}")
