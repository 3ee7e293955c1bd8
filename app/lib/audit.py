"""The audit trail for apps that lie below it: the settings name the function that writes an entry.

An app above the trail calls the trail itself. Below it an import would point upwards.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


def audit_entry(
    *,
    organisation: UUID | None,
    action: str,
    target_kind: str = "",
    target: str = "",
    target_name: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry to the audit trail, last in the transaction of its change. organisation: None for the box."""
    record = import_string(settings.AUDIT_RECORDER)
    record(
        organisation=organisation,
        action=action,
        target_kind=target_kind,
        target=target,
        target_name=target_name,
        before=before,
        after=after,
    )
