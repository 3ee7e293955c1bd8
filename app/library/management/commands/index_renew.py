from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from app.audit.trail import audit_record
from app.errors import RefdeskError
from app.lib.advisory_lock import RECONCILER, lock_try
from app.library.reconcile.reconciler import reconcile
from app.llm.embeddings import embeddings_client
from app.retrieval.index_loader import index_writer
from app.retrieval.index_upkeep import index_renew


class Command(BaseCommand):
    help = "Copy all vectors into a new collection with this version's settings, and switch to it without a pause."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with lock_try(RECONCILER) as alone:
                if not alone:
                    raise CommandError("The worker is comparing the stores just now. Try again in a moment.")
                copied = index_renew(index_writer(embeddings_client().space()))
            # What came or went while it was copied.
            reconcile(repair=True)
        except RefdeskError as error:
            raise CommandError(f"{error.message} {error.hint}") from error
        with transaction.atomic():
            audit_record(organisation=None, action="box.index_renewed", after={"points": copied})
        self.stdout.write(f"{copied} vectors are in a new collection, which is searched from now on.")
