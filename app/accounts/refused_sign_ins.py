"""Refused sign-ins in the audit trail, limited so that strangers cannot fill it.

An unknown e-mail address is not stored: it is often a password in the wrong field. Nor is the caller's full IP, since
nobody could request its erasure.
"""

import hashlib
from ipaddress import ip_address, ip_network

from django.core.cache import cache
from redis.exceptions import RedisError

from app.accounts.audit_records import audit_record_person
from app.accounts.models import User
from app.audit.actors import PERSON, Actor
from app.audit.trail import audit_record

# At most one entry in this time for a network whose sign-ins name no account, and for a locked-out person and address.
QUIET_S = 15 * 60


def sign_in_refused(*, email: str, address: str, locked: bool) -> None:
    """Record a wrong password (locked: False), or the first attempt that a lock-out refused.

    The entry goes to the person's organisations, or to the box's chain when no account has the address.
    """
    user = User.objects.filter(email=email).first() if "\0" not in email else None
    action = "user.locked_out" if locked else "user.sign_in_failed"
    if user is not None:
        if not locked or entry_is_first(f"{user.pk}|{address}"):
            audit_record_person(user=user, action=action, actor=Actor(PERSON, address=address))
        return
    network = _network(address)
    if entry_is_first(network):
        audit_record(organisation=None, action=action, actor=Actor(PERSON, label="unknown", address=network))


def _network(address: str) -> str:
    try:
        return str(ip_network((address, 24 if ip_address(address).version == 4 else 48), strict=False))
    except ValueError:
        return ""


def entry_is_first(name: str) -> bool:
    """Return whether nothing of this name was recorded for QUIET_S."""
    key = "audit-refused:" + hashlib.sha256(name.encode()).hexdigest()
    try:
        return bool(cache.add(key, 1, timeout=QUIET_S))
    except (RedisError, OSError):
        # Without the counter strangers could fill the trail.
        return False
