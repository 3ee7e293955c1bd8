"""A change of the embedding model, for the tests of all admin pages."""

from django.utils import timezone

from app.llm.choices import ChangeState
from app.llm.embedding_models import DEFAULT
from app.llm.models import EmbeddingChange


def embedding_change_row(state: ChangeState = ChangeState.MEASURED) -> EmbeddingChange:
    """Return the box's change, in a state; it is to the model in use, at its own address."""
    row = EmbeddingChange.objects.first() or EmbeddingChange(model=DEFAULT.name, dimensions=DEFAULT.dimensions)
    row.state, row.old_model, row.old_dimensions = state, row.model, row.dimensions
    row.switched = timezone.now() if state == ChangeState.SWITCHED else None
    row.save()
    return row
