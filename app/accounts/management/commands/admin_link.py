from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.first_admin import first_admin_link, operator_exists
from app.errors import RefdeskError


class Command(BaseCommand):
    help = "Print a one-time link that makes the first admin of a box without one. It works for 24 hours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-needed", action="store_true", help="say nothing when the box has an operator")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_needed"]:
            if operator_exists():
                return
            self.stdout.write("Open this link within a day to become the first admin:")
        try:
            self.stdout.write(first_admin_link())
        except RefdeskError as error:
            raise CommandError(error.message) from error
