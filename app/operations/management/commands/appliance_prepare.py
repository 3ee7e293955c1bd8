import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from app.errors import Upstream
from app.lib.storage import storage_ping
from app.operations.checks import MENDED_BY_HAND

# A PostgreSQL that recovers after a power cut may need minutes.
PATIENCE_S = 300.0
TRY_EVERY_S = 1.0
ANSWER_S = 5.0


class Command(BaseCommand):
    help = "Before the appliance's parts start: wait for the stores, check the settings, make tables, first start."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self._wait("database", database_answers)
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        self.stdout.write("Tables are up to date.")
        if settings.S3_URL:
            self._wait("file store", store_answers)
        # With a known key or an unusable address, not starting is safer.
        call_command("check", deploy=True, fail_level="ERROR")
        call_command("first_start", admin_link=True, keycloak_groups=True)

    def _wait(self, name: str, problem_of: Callable[[], str]) -> None:
        deadline, said = time.monotonic() + PATIENCE_S, False
        while problem := problem_of():
            if time.monotonic() > deadline:
                raise CommandError(f"The {name} does not answer after {PATIENCE_S:.0f} s: {problem}")
            if not said:
                self.stdout.write(f"Waiting for the {name} …")
                self.stdout.flush()
                said = True
            time.sleep(TRY_EVERY_S)


def database_answers() -> str:
    """Return the fault of the database, or an empty text."""
    parameters = connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("host", "port", "dbname", "user", "password") if parameters.get(name)}
    try:
        psycopg.connect(**wanted, connect_timeout=int(ANSWER_S)).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def store_answers() -> str:
    """Create the bucket; return the fault, or an empty text. A store that refuses has responded: checks report it."""
    try:
        storage_ping(ANSWER_S, make=True)
    except Upstream as error:
        reason = str(error.details.get("reason"))
        return "" if reason in MENDED_BY_HAND else f"{error.message} ({reason})"
    return ""
