"""The second index during a change of the embedding model: written with each version, and never waited for.

If its model's server is unavailable, the version is made searchable without it, and the change is marked: the fill
compares again before a switch; a former index is not kept any more.
"""

import logging

from django.db import connection

from app.errors import RefdeskError
from app.library.pipeline.context import IngestContext
from app.library.pipeline.points import points_write
from app.library.services.jobs import fill_job_create
from app.llm.choices import ChangeState
from app.llm.models import EmbeddingChange
from app.retrieval.index_loader import index_writer

log = logging.getLogger(__name__)


def side_index_write(context: IngestContext) -> bool:
    """Write a version's points to the second index, if there is one; return False if that was not possible."""
    aside = context.models.aside
    former_and_behind = context.models.choice.has_before and aside is not None and not aside.complete
    if aside is None or former_and_behind:
        return True
    try:
        points_write(context, aside, index_writer(aside.space), create=False)
    except RefdeskError as error:
        log.warning("version %s is not in the second index: %s", context.version, error.code)
        return False
    return True


def side_index_behind(context: IngestContext) -> None:
    """Mark the change, in the transaction that activates a version which its second index does not have."""
    change = context.models.change
    if change is None:
        return
    row = EmbeddingChange.objects.select_for_update().filter(pk=change).first()
    if row is None or (row.behind and row.state != ChangeState.READY):
        return
    again = row.state == ChangeState.READY
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE llm_embeddingchange SET behind = true, state = CASE WHEN state = 'ready' THEN 'filling'"
            " ELSE state END WHERE id = %s",
            [change],
        )
    if again:
        fill_job_create(change=change)
