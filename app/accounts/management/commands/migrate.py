import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate

from app.accounts.row_security import as_owner, role_create, row_security_build


class Command(migrate.Command):
    help = (
        f"{migrate.Command.help} Then builds row-level security between organisations (app/accounts/row_security.py)."
    )

    def execute(self, *args: Any, **options: Any) -> Any:
        # The checks that run first also query the database; in an empty one the application's role does not exist yet.
        with as_owner(), _garbage_frozen():
            return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        is_dry_run = options["check_unapplied"] or options["plan"]
        if not is_dry_run:
            # Before any change, so that the older version can still run if this login may not create the role.
            role_create()
        super().handle(*args, **options)
        if not is_dry_run:
            row_security_build()


@contextmanager
def _garbage_frozen() -> Iterator[None]:
    """Exempt the objects loaded before from garbage collection: scanning them took a tenth of the migrations' time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
