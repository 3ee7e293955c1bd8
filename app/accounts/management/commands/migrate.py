import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate

from app.accounts.row_security import as_owner, role_make, walls_build


class Command(migrate.Command):
    help = f"{migrate.Command.help} Then builds the walls between organisations (app/accounts/row_security.py)."

    def execute(self, *args: Any, **options: Any) -> Any:
        # The checks that come first ask the database too; on an empty one the application's role is not there yet.
        with as_owner(), _old_objects_unread():
            return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        looks_only = options["check_unapplied"] or options["plan"]
        if not looks_only:
            # Before anything is changed: with a login that may not make it, the older version can still go on.
            role_make()
        super().handle(*args, **options)
        if not looks_only:
            walls_build()


@contextmanager
def _old_objects_unread() -> Iterator[None]:
    """Migrations leave much garbage; looking for it among all that was loaded before took a tenth of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
