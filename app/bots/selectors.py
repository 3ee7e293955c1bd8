from uuid import UUID

from django.db.models import QuerySet

from app.bots.models import Bot


def bot_list(*, organisation: UUID) -> QuerySet[Bot]:
    """The organisation's bots by name, each with its live revision."""
    return Bot.objects.filter(organisation=organisation).select_related("live_revision")
