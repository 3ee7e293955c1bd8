"""Model servers of organisations and of the deployment: created, changed, removed, and tested.

A key is stored by app/secrets, and sent only to the host that it was entered for.
"""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from django.db import transaction

from app.audit.trail import audit_record
from app.errors import Conflict, Invalid, NotFound
from app.lib.egress import entered_url_check
from app.lib.tenancy import everything_visible
from app.llm.choices import EndpointKind
from app.llm.models import NAME, ModelEndpoint
from app.llm.routing import API_KEY, endpoints_forget
from app.llm.waiting import one_of_few
from app.secrets.services import secret_delete, secret_set

log = logging.getLogger(__name__)

ENVIRONMENT = "deployment"
# A change of one of these makes it another server, of which nothing is known.
_PLACE = ("kind", "url")


@transaction.atomic
def endpoint_create(
    *,
    organisation: UUID | None,
    name: str,
    kind: str,
    url: str,
    api_key: str | None = None,
    models: list[dict[str, Any]] | None = None,
    defaults: dict[str, Any] | None = None,
    is_default: bool | None = None,
) -> ModelEndpoint:
    """Create a model server.

    Args:
        organisation: None for the deployment's.
        is_default: if None, an organisation's first one answers by default.

    Raises:
        Conflict: the name is taken.
        Invalid: a value cannot be used.
        AddressRefused: the egress policy refuses the address of an organisation.
        RefdeskError: secrets_key_missing.
    """
    url = _url_read(url)
    _address_check(url, organisation)
    with _in_sight(organisation):
        first = organisation is not None and not ModelEndpoint.objects.filter(organisation=organisation).exists()
        row = ModelEndpoint(organisation_id=organisation, is_default=first if is_default is None else is_default)
        values = {"name": name, "kind": kind, "url": url, "api_key": api_key}
        _apply(row, {**values, "models": models or [], "defaults": defaults or {}})
        _save(row)
    _audit(row, "endpoint.create", after=_state(row))
    return row


@transaction.atomic
def endpoint_update(*, organisation: UUID | None, endpoint: UUID, changes: dict[str, Any]) -> ModelEndpoint:
    """Change the given values, by the names of `endpoint_create`. `api_key` None removes the key.

    Raises:
        NotFound, Conflict, AddressRefused, and RefdeskError (secrets_key_missing).
        Invalid: a value cannot be used, or the address has another host and the key is not given again.
    """
    if "url" in changes:
        changes = {**changes, "url": _url_read(changes["url"])}
    with _in_sight(organisation):
        row = _locked(organisation, endpoint)
        before = _state(row)
        if changes.get("url", row.url) != row.url:
            _address_check(changes["url"], organisation)
        if row.credential_id and "api_key" not in changes and _origin(changes.get("url", row.url)) != _origin(row.url):
            raise Invalid(message="Enter the API key again: the stored one is not sent to another server.")
        if "api_key" in changes or any(changes.get(name, getattr(row, name)) != getattr(row, name) for name in _PLACE):
            row.healthy, row.learnt = None, {}
        _apply(row, changes)
        _save(row)
    _audit(row, "endpoint.update", before=before, after={**_state(row), **_key_change(changes)})
    return row


@transaction.atomic
def endpoint_delete(*, organisation: UUID | None, endpoint: UUID) -> None:
    """Remove a model server with its key. Raises NotFound."""
    with _in_sight(organisation):
        row = _locked(organisation, endpoint)
        credential = row.credential_id
        ModelEndpoint.objects.filter(pk=row.pk).delete()
        if credential is not None:
            secret_delete(organisation=organisation, secret=credential)
    transaction.on_commit(endpoints_forget)
    _audit(row, "endpoint.delete", before=_state(row))


@transaction.atomic
def endpoint_trial_record(*, organisation: UUID | None, endpoint: UUID, healthy: bool, learnt: dict[str, Any]) -> None:
    """Record a test's result. An organisation's test of the deployment's server does not change that server's row."""
    rows = ModelEndpoint.objects.filter(organisation=organisation, pk=endpoint)
    rows.update(healthy=healthy, **({"learnt": learnt} if learnt else {}))
    name = ModelEndpoint.objects.values_list("name", flat=True).get(pk=endpoint)
    audit_record(
        organisation=organisation,
        action="endpoint.test",
        target_kind="endpoint",
        target=str(endpoint),
        target_name=name,
        after={"ok": healthy},
    )


async def environment_endpoint_at_start() -> None:
    """Write the environment's model server into the table when the web process starts, if the database is available."""
    try:
        await sync_to_async(environment_endpoint_write)()
    except DatabaseError as error:
        log.warning("the deployment's model server was not written down: %s", type(error).__name__)


@everything_visible()
@transaction.atomic
def environment_endpoint_write() -> None:
    """Write the deployment's model server of REFDESK_LLM_URL and its companions; remove it when they are not set."""
    rows = ModelEndpoint.objects.select_for_update().filter(organisation=None, from_environment=True)
    row = rows.first()
    if not settings.LLM_URL:
        rows.delete()
        return
    if row is None:
        taken = ModelEndpoint.objects.filter(organisation=None, name=ENVIRONMENT).exists()
        row = ModelEndpoint(name=f"{ENVIRONMENT} (environment)" if taken else ENVIRONMENT, from_environment=True)
    row.url, row.kind, row.defaults = settings.LLM_URL, EndpointKind.OPENAI, {"model": settings.LLM_MODEL}
    row.save()


def _apply(row: ModelEndpoint, changes: dict[str, Any]) -> None:
    for field in ("name", "kind", "url", "defaults", "is_default"):
        if field in changes:
            setattr(row, field, changes[field])
    if "models" in changes:
        row.served_models = changes["models"]
    try:
        NAME(row.name)
        EndpointKind(row.kind)
    except (ValidationError, ValueError) as error:
        raise Invalid(message="A name has no slash, and a kind is one of the list.") from error
    if "api_key" in changes:
        _key_set(row, changes["api_key"])


def _url_read(url: str) -> str:
    """Return the address as stored. Raises Invalid."""
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        plain = False
    if not plain or parts.query or parts.fragment:
        raise Invalid(message="The address must begin with http:// or https:// and have no query.")
    return url


def _address_check(url: str, organisation: UUID | None) -> None:
    """Check the target of an organisation's address. Raises AddressRefused, and RefdeskError (too_many_requests)."""
    if organisation is not None:
        with one_of_few(organisation):
            entered_url_check(url)


def _key_set(row: ModelEndpoint, api_key: str | None) -> None:
    if api_key is not None:
        stored = secret_set(
            organisation=row.organisation_id, purpose=API_KEY, label=row.name, value=api_key, secret=row.credential_id
        )
        row.credential = stored
    elif row.credential_id is not None:
        secret_delete(organisation=row.organisation_id, secret=row.credential_id)
        row.credential = None


def _save(row: ModelEndpoint) -> None:
    """Save an endpoint. Raises Conflict."""
    mine = ModelEndpoint.objects.filter(organisation=row.organisation_id).exclude(pk=row.pk)
    if mine.filter(name=row.name).exists():
        raise Conflict(message=f"There is a model server {row.name!r} already.")
    if row.is_default:
        mine.filter(is_default=True).update(is_default=False)
    row.save()
    transaction.on_commit(endpoints_forget)


def _locked(organisation: UUID | None, endpoint: UUID) -> ModelEndpoint:
    rows = ModelEndpoint.objects.select_for_update().filter(organisation=organisation, from_environment=False)
    row = rows.filter(pk=endpoint).first()
    if row is None:
        raise NotFound(message="There is no such model server.")
    return row


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _key_change(changes: dict[str, Any]) -> dict[str, Any]:
    return {"api_key": "changed"} if "api_key" in changes else {}


def _state(row: ModelEndpoint) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in ("name", "kind", "url", "defaults", "is_default")}
    return {**fields, "models": row.served_models, "api_key_set": row.credential_id is not None}


def _in_sight(organisation: UUID | None) -> AbstractContextManager[None]:
    return everything_visible() if organisation is None else nullcontext()


def _audit(row: ModelEndpoint, action: str, **sides: Any) -> None:
    audit_record(
        organisation=row.organisation_id,
        action=action,
        target_kind="endpoint",
        target=str(row.pk),
        target_name=row.name,
        **sides,
    )
