"""Encrypt and decrypt credentials; no other code does.

The owner of a credential keeps the id of its row, and reads it by that id, its organisation and its purpose. All three
are authenticated with the value: in another row it does not decrypt.
"""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from app.audit.trail import audit_record
from app.errors import Invalid, NotFound, RefdeskError
from app.lib.tenancy import everything_visible
from app.secrets.keyring import Keyring, UnknownKey, WrongPlace, keyring
from app.secrets.models import PURPOSE, Secret
from app.secrets.values import SecretValue

log = logging.getLogger(__name__)

# A service account's JSON file has 2.5 kB, a chain of certificates with its key about 20 kB.
LONGEST = 64 * 1024
# Rows that a rotation locks at once.
BATCH = 100


@transaction.atomic
def secret_set(
    *, organisation: UUID | None, purpose: str, label: str, value: str, secret: UUID | None = None
) -> Secret:
    """Store a credential, or replace the value and the label of the one with the id `secret`.

    Args:
        organisation: None for a credential of the deployment.

    Raises:
        Invalid: the value is empty or too long.
        NotFound: the organisation has no such credential of this purpose.
        RefdeskError: secrets_key_missing.
    """
    _value_check(value)
    PURPOSE(purpose)
    keys = keyring()
    with _in_sight(organisation):
        if secret is None:
            row = Secret(organisation_id=organisation, purpose=purpose)
        else:
            row = _row_locked(organisation, secret, purpose)
        row.label, row.changed = label[:200], timezone.now()
        row.key_id, row.sealed = keys.encrypt(value, place=_place(row))
        row.save()
    told = {"purpose": purpose, "replaced": secret is not None}
    _audit(row, "secret.set", after=told)
    return row


def secret_read(*, organisation: UUID | None, secret: UUID, purpose: str) -> SecretValue:
    """Decrypt a credential.

    Raises:
        NotFound: the organisation has no such credential of this purpose.
        RefdeskError: secrets_key_missing, secret_unreadable.
    """
    keys = keyring()
    with _in_sight(organisation):
        row = Secret.objects.filter(organisation=organisation, pk=secret, purpose=purpose).first()
    if row is None:
        raise NotFound(message="There is no such credential.")
    return SecretValue(_decrypt(keys, row))


@transaction.atomic
def secret_delete(*, organisation: UUID | None, secret: UUID) -> None:
    """Remove a credential. Raises NotFound."""
    with _in_sight(organisation):
        row = Secret.objects.select_for_update().filter(organisation=organisation, pk=secret).first()
        if row is None:
            raise NotFound(message="There is no such credential.")
        Secret.objects.filter(pk=row.pk).delete()
    _audit(row, "secret.delete", after=None)


@dataclass
class Rotation:
    """Counts of a rotation: re-encrypted credentials, those with the newest key already, and unreadable ones."""

    renewed: int = 0
    current: int = 0
    unreadable: int = 0


@everything_visible()
def secrets_rotate() -> Rotation:
    """Encrypt every credential of every organisation with the newest key.

    Each batch is one transaction of one organisation, so a repeated rotation does what a killed one left; two at once,
    or a value that is set meanwhile, wait for each other row by row.

    Raises:
        RefdeskError: secrets_key_missing.
    """
    keys, done = keyring(), Rotation()
    owners = list(Secret.objects.order_by("organisation_id").values_list("organisation_id", flat=True).distinct())
    for owner in owners:
        _organisation_rotate(owner, keys, done)
    done.current = Secret.objects.filter(key_id=keys.newest.id).count() - done.renewed
    return done


def _organisation_rotate(organisation: UUID | None, keys: Keyring, done: Rotation) -> None:
    rows = Secret.objects.filter(organisation=organisation).exclude(key_id=keys.newest.id).order_by("pk")
    last: UUID | None = None
    while True:
        with transaction.atomic():
            page = rows if last is None else rows.filter(pk__gt=last)
            batch = list(page.select_for_update()[:BATCH])
            if not batch:
                return
            last = batch[-1].pk
            renewed = [row for row in batch if _renew(row, keys)]
            done.renewed += len(renewed)
            done.unreadable += len(batch) - len(renewed)
            if renewed:
                audit_record(organisation=organisation, action="secret.rotate", after={"credentials": len(renewed)})


def _renew(row: Secret, keys: Keyring) -> bool:
    """Encrypt a locked row with the newest key; return False, leaving the row, when no key decrypts it."""
    try:
        text = _decrypt(keys, row)
    except RefdeskError:
        return False
    row.key_id, row.sealed = keys.encrypt(text, place=_place(row))
    row.save(update_fields=["key_id", "sealed"])
    return True


def _place(row: Secret) -> bytes:
    """Return the data that is authenticated with a value. No part of it can contain the separator."""
    return f"refdesk.secret.1|{row.organisation_id or 'deployment'}|{row.pk}|{row.purpose}".encode()


def _decrypt(keys: Keyring, row: Secret) -> str:
    try:
        return keys.decrypt(row.key_id, bytes(row.sealed), place=_place(row))
    except UnknownKey:
        log.warning("credential %s: none of the keys in REFDESK_SECRETS_KEYS is %s", row.pk, row.key_id)
    except WrongPlace:
        log.warning("credential %s: it was changed, or moved from another row", row.pk)
    raise RefdeskError("secret_unreadable", details={"credential": str(row.pk)})


def _row_locked(organisation: UUID | None, secret: UUID, purpose: str) -> Secret:
    rows = Secret.objects.select_for_update().filter(organisation=organisation, pk=secret, purpose=purpose)
    row = rows.first()
    if row is None:
        raise NotFound(message="There is no such credential.")
    return row


def _value_check(value: str) -> None:
    if not value.strip():
        raise Invalid(message="A credential cannot be empty.")
    if len(value.encode("utf-8", "surrogatepass")) > LONGEST:
        raise Invalid(message=f"A credential has at most {LONGEST // 1024} kB.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(message="A credential must be text.") from None


def _in_sight(organisation: UUID | None) -> AbstractContextManager[None]:
    """Return the scope that shows an organisation's rows: the caller's; for the deployment's own rows, everything."""
    return everything_visible() if organisation is None else nullcontext()


def _audit(row: Secret, action: str, *, after: dict[str, object] | None) -> None:
    audit_record(
        organisation=row.organisation_id,
        action=action,
        target_kind="secret",
        target=str(row.pk),
        target_name=row.label,
        after=after,
    )
