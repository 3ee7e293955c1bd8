from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.models import User
from app.privacy.exports.run import archive_write, person_archive


class Command(BaseCommand):
    help = "Write everything that the box holds of a person to one file (docs/privacy.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError("Nobody has this e-mail address.")
        try:
            size = archive_write(person_archive(user, None, conversations=True), options["file"])
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error.strerror}.") from error
        self.stderr.write(f"{options['file']}: {size} bytes")
