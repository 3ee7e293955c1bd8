from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.authentication import password_reset
from app.accounts.models import User
from app.accounts.password_reset import reset_link_hand_out


class Command(BaseCommand):
    help = "Give a person a new generated password and print it, alone, on stdout. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--link", action="store_true", help="print a link instead, with which they choose one")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"There is no account with the address {options['email']}.")
        if not user.is_active:
            raise CommandError(f"The account {user.email} is deactivated; activate it first.")
        self.stdout.write(reset_link_hand_out(user=user) if options["link"] else password_reset(user=user))
