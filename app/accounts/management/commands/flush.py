from typing import Any

from django.core.management.commands import flush

from app.accounts.row_security import as_owner


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        """Empty the tables as their owner, because the application's role may not."""
        with as_owner():
            super().handle(**options)
