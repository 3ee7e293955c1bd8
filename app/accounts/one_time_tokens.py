"""Tokens of links that can be used once: 256 random bits, stored as a SHA-256, bound to a purpose and a person."""

from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from app.accounts.choices import TokenPurpose
from app.accounts.key_hash import secret_hash, secret_make
from app.accounts.models import OneTimeToken, User
from app.errors import RefdeskError

KEPT_AFTER = timedelta(days=1)


@transaction.atomic
def token_make(*, purpose: TokenPurpose, lifetime: timedelta, user: User | None = None) -> str:
    """Create a token; earlier ones for the same purpose and person end."""
    now = timezone.now()
    tokens_end(purpose=purpose, user=user)
    OneTimeToken.objects.filter(expires__lt=now - KEPT_AFTER).delete()
    token = secret_make()
    OneTimeToken.objects.create(purpose=purpose, user=user, token_hash=secret_hash(token), expires=now + lifetime)
    return token


def tokens_end(*, purpose: TokenPurpose, user: User | None) -> None:
    """End the open tokens for this purpose and person."""
    OneTimeToken.objects.filter(purpose=purpose, user=user, used=None).delete()


def token_find(*, purpose: TokenPurpose, token: str) -> OneTimeToken | None:
    """Return the row of a token that is still open."""
    return _open(purpose, token).select_related("user").first()


def token_take(*, purpose: TokenPurpose, token: str) -> OneTimeToken:
    """Use up a token, inside the transaction of its purpose; of simultaneous calls, one wins. Raises link_invalid."""
    row = _open(purpose, token).select_for_update().first()
    if row is None:
        raise RefdeskError("link_invalid")
    row.used = timezone.now()
    row.save(update_fields=["used"])
    return row


def _open(purpose: TokenPurpose, token: str) -> QuerySet[OneTimeToken]:
    return OneTimeToken.objects.filter(
        purpose=purpose, token_hash=secret_hash(token), used=None, expires__gt=timezone.now()
    )
