"""Remove data from the other stores that no row names any more."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from app.lib.storage import storage
from app.lib.tenancy import everything_visible
from app.library.models import DocumentVersion
from app.library.page_previews import pictures_forget
from app.library.uploads import object_lock
from app.llm.models_kept import models_kept
from app.retrieval.index_loader import index_writer


def versions_points_delete(*, organisation: UUID, versions: Iterable[str]) -> None:
    """Delete the points of versions from every index that is kept."""
    writers = [index_writer(model.space) for model in models_kept().all]
    for version in versions:
        for writer in writers:
            writer.points_delete_version(organisation=str(organisation), version=version)


def object_delete_unnamed(*, key: str) -> bool:
    """Delete an object unless a row names it; return whether it was deleted."""
    # Keys differ by organisation, but an object that any organisation's row names has to stay.
    with everything_visible(), transaction.atomic():
        object_lock(key)
        if DocumentVersion.objects.filter(storage_key=key).exists():
            return False
        storage().delete(key)
        pictures_forget({key.rpartition("/")[2]})
        return True
