from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from app.accounts.services import organisation_create
from app.bots.services import bot_create
from app.errors import RefdeskError
from app.library.services.sources import source_create


class Command(BaseCommand):
    help = "Make an organisation with one bot over all its sources; prints its slug."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--plan",
            metavar="NAME",
            default="unlimited",
            help="free, standard, unlimited (which it is without), or one of your own",
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = organisation_create(slug=options["slug"], name=options["name"], plan=options["plan"])
            source_create(organisation=organisation, name="Uploads")
            bot_create(organisation=organisation, slug="default", name="Reference desk")
        except RefdeskError as error:
            raise CommandError(error.message) from error
        self.stdout.write(organisation.slug)
