from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.choices import Role
from app.accounts.models import User
from app.accounts.selectors import organisation_get
from app.errors import RefdeskError
from app.privacy.erasure.receipts import receipt_text
from app.privacy.erasure.run import erasure_see_through
from app.privacy.erasure.services import account_erase, person_erase
from app.privacy.models import Erasure


class Command(BaseCommand):
    help = "Erase a person everywhere, or what one organisation holds of them, and print the receipt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", metavar="EMAIL")
        parser.add_argument("--organisation", metavar="SLUG", help="only what this one holds of them")
        parser.add_argument("--yes", action="store_true", help="without it nothing is done")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            raise CommandError(f"This erases {options['person']} for good. Say --yes.")
        try:
            receipt = erasure_see_through(erasure=self._queue(options["person"], options["organisation"]).pk)
        except RefdeskError as error:
            raise CommandError(f"{error.message} {error.hint}") from error
        self.stdout.write(receipt_text(receipt))

    def _queue(self, person: str, slug: str | None) -> Erasure:
        if slug is not None:
            return person_erase(organisation=organisation_get(slug=slug).pk, person=person, role=Role.OWNER)
        user = User.objects.filter(email=person.strip().lower()).first()
        if user is None:
            raise CommandError("Nobody has this e-mail address.")
        return account_erase(user=user)
