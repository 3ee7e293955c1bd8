from uuid import UUID

from django.db.models import QuerySet

from app.chat.models import Conversation


def conversation_list(
    *, organisation: UUID, user: UUID | None = None, api_key: UUID | None = None
) -> QuerySet[Conversation]:
    """Conversations of one person or one key, the latest first; of nobody when neither is given."""
    if user is None and api_key is None:
        return Conversation.objects.none()
    own = Conversation.objects.filter(organisation=organisation)
    own = own.filter(user=user) if user is not None else own.filter(api_key=api_key)
    return own.order_by("-updated", "-id")
