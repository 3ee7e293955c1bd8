from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.keys import api_key_find, api_key_rotate
from app.accounts.selectors import organisation_get
from app.errors import RefdeskError


class Command(BaseCommand):
    help = "Make a new key in the place of one and print it, alone, on stdout. The old one works on for the overlap."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="its prefix, as rk_Ab3dEf, or its id; never the key itself")
        parser.add_argument("--organisation", required=True, metavar="SLUG")
        parser.add_argument("--overlap", type=int, default=0, metavar="DAYS", help="0 to 30 days with both (default 0)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = organisation_get(slug=options["organisation"]).pk
            row = api_key_find(organisation=organisation, named=options["key"])
            _, key = api_key_rotate(organisation=organisation, api_key=row.pk, overlap_days=options["overlap"])
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.stdout.write(key)
