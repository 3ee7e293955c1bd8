from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.errors import RefdeskError
from app.secrets.services import secrets_rotate


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential with the first key of REFDESK_SECRETS_KEYS. Can be run beside a running box "
        "that has this key, stopped at any moment, and run again. Status 1: no key opens some of them."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = secrets_rotate()
        except RefdeskError as error:
            raise CommandError(f"{error.message} {error.hint}") from error
        self.stdout.write(
            f"{done.renewed} encrypted anew, {done.current} had the newest key, {done.unreadable} failed."
        )
        if done.unreadable:
            raise CommandError(
                f"No key opens {done.unreadable} credentials; the log names them. Put the missing key into "
                "REFDESK_SECRETS_KEYS, or enter the credentials again."
            )
