from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.choices import Role, Scope
from app.accounts.keys import ALL_SCOPES, api_key_create, expiry_read
from app.accounts.selectors import organisation_get
from app.errors import RefdeskError
from app.plans.services import plan_get


class Command(BaseCommand):
    help = "Make an API key and print it, alone, on stdout. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", choices=Role.values, default=Role.ADMIN)
        parser.add_argument(
            "--scope",
            action="extend",
            nargs="+",
            choices=Scope.values,
            metavar="SCOPE",
            help=f"one or several of {', '.join(Scope.values)}; all of them when none is given",
        )
        parser.add_argument("--plan", metavar="NAME", help="instead of the organisation's")
        parser.add_argument("--expires", metavar="WHEN", help="days from now, as 90d, or a time, as 2027-01-31")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _, key = api_key_create(
                organisation=organisation_get(slug=options["organisation"]),
                name=options["name"],
                role=Role(options["role"]),
                scopes=[Scope(scope) for scope in options["scope"]] if options["scope"] else ALL_SCOPES,
                plan=plan_get(name=options["plan"]).name if options["plan"] else None,
                expires=expiry_read(options["expires"]) if options["expires"] else None,
            )
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.stdout.write(key)
