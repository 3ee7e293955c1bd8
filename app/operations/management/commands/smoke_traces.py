import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from app.accounts.models import User
from app.operations.smoke.names import person_email
from app.operations.smoke.traces import foreign_count, papers_delete


class Command(BaseCommand):
    help = "For scripts/smoke: remove what one run made, or count what neither it nor the first start made."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--remove", metavar="WORD", help="the word that is in the names of the run")
        what.add_argument("--foreign", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["foreign"]:
            self.stdout.write(json.dumps(foreign_count()))
            return
        word = options["remove"]
        papers_delete(word=word)
        email = person_email(word)
        # A person who never signed in has no data here.
        if User.objects.filter(email=email).exists():
            call_command("person_erase", email, yes=True, stdout=self.stdout)
