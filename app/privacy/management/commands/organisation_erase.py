from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.choices import Role
from app.accounts.selectors import organisation_get
from app.errors import RefdeskError
from app.privacy.erasure.receipts import receipt_text
from app.privacy.erasure.run import erasure_see_through
from app.privacy.erasure.services import organisation_erase


class Command(BaseCommand):
    help = "Erase an organisation with everything it has, for good, and print the receipt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organisation", metavar="SLUG")
        parser.add_argument("--yes", action="store_true", help="without it nothing is done")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["organisation"]
        try:
            organisation = organisation_get(slug=slug)
            if not options["yes"]:
                raise CommandError(f"This erases {organisation.name} ({slug}) for good. Say --yes.")
            erasure = organisation_erase(organisation=organisation.pk, confirm=slug, role=Role.OWNER)
            receipt = erasure_see_through(erasure=erasure.pk)
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.stdout.write(receipt_text(receipt))
