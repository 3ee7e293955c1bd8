from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.errors import RefdeskError
from app.jobs.execution import job_see_through
from app.jobs.services import job_create


class Command(BaseCommand):
    help = "Copy all vectors into a new collection with this version's settings, and switch to it without a pause."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # One at a time: a second call waits for the first one's job.
            done = job_see_through(job=job_create(kind="index_renew", key="index_renew"), patient=False)
        except RefdeskError as error:
            if error.code == "conflict":
                raise CommandError("The worker is comparing the stores just now. Try again in a moment.") from error
            raise CommandError(f"{error.message} {error.hint}") from error
        self.stdout.write(f"{done.payload['points']} vectors are in a new collection, which is searched from now on.")
