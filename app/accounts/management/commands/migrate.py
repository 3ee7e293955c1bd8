from typing import Any

from django.core.management.commands import migrate

from app.accounts.walls import as_owner, walls_build


class Command(migrate.Command):
    help = f"{migrate.Command.help} Then builds the walls between organisations (app/accounts/walls.py)."

    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner():
            super().handle(*args, **options)
            if not (options["check_unapplied"] or options["plan"]):
                walls_build()
