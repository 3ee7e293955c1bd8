from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.accounts.first_admin import first_admin_link
from app.errors import RefdeskError


class Command(BaseCommand):
    help = "Print a one-time link that makes the first admin of a box without one. It works for 24 hours."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(first_admin_link())
        except RefdeskError as error:
            raise CommandError(error.message) from error
