import time
from typing import Any

import psycopg
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

# A PostgreSQL that recovers after a power cut may need minutes.
PATIENCE_S = 300.0
TRY_EVERY_S = 1.0


class Command(BaseCommand):
    help = "Before the appliance's parts start: wait for the database, check the settings, tables, first start."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self._wait()
        call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write("Tables are up to date.")
        # Known keys, an address that cannot serve: better no start than an open one.
        call_command("check", deploy=True, fail_level="ERROR")
        call_command("first_start", admin_link=True, keycloak_groups=True)

    def _wait(self) -> None:
        deadline, said = time.monotonic() + PATIENCE_S, False
        parameters = connection.get_connection_params()
        wanted = {
            name: parameters[name] for name in ("host", "port", "dbname", "user", "password") if parameters.get(name)
        }
        while True:
            try:
                psycopg.connect(**wanted, connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise CommandError(f"The database does not answer after {PATIENCE_S:.0f} s: {error}") from error
                if not said:
                    self.stdout.write("Waiting for the database …")
                    self.stdout.flush()
                    said = True
            time.sleep(TRY_EVERY_S)
