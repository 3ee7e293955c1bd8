from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.lib.tenancy import everything_visible
from app.secrets.keyring import keyring
from app.secrets.models import Secret


@dataclass(frozen=True, slots=True)
class SecretSummary:
    """A credential without its value."""

    id: UUID
    purpose: str
    label: str
    changed: datetime


def secret_list(*, organisation: UUID) -> list[SecretSummary]:
    """Return the credentials of an organisation without their values, oldest first."""
    rows = Secret.objects.filter(organisation=organisation).order_by("created", "pk")
    return [SecretSummary(*row) for row in rows.values_list("id", "purpose", "label", "changed")]


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """The numbers of the whole box's credentials under the newest key, an older one, or one that is missing."""

    newest: int
    older: int
    unknown: int


@everything_visible()
def secret_key_usage() -> KeyUsage:
    """Count credentials by their key.

    Raises:
        RefdeskError: secrets_key_missing, when there are credentials but no key.
    """
    counts = Counter(Secret.objects.values_list("key_id", flat=True))
    if not counts:
        return KeyUsage(0, 0, 0)
    newest, *older = keyring().ids
    known = {newest, *older}
    return KeyUsage(
        newest=counts[newest],
        older=sum(counts[key] for key in older),
        unknown=sum(count for key, count in counts.items() if key not in known),
    )
