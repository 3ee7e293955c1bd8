from django.db import transaction

from app.accounts.models import Organisation
from app.audit.trail import audit_record
from app.errors import Conflict, Invalid
from app.library.choices import SourceKind
from app.library.models import Source

NAME_LENGTH = 200


def _name_checked(name: str) -> str:
    name = name.replace("\0", "").strip()[:NAME_LENGTH]
    if not name:
        raise Invalid(message="A source needs a name.")
    return name


def _audit(source: Source, action: str, *, before: str | None = None, after: str | None = None) -> None:
    audit_record(
        organisation=source.organisation_id,
        action=action,
        target_kind="source",
        target=str(source.pk),
        target_name=source.name,
        before=None if before is None else {"name": before},
        after=None if after is None else {"name": after},
    )


@transaction.atomic
def source_create(*, organisation: Organisation, name: str, kind: SourceKind = SourceKind.UPLOADS) -> Source:
    """Raises Conflict when the name is taken, Invalid when it is empty."""
    name = _name_checked(name)
    source, made = Source.objects.get_or_create(organisation=organisation, name=name, defaults={"kind": kind})
    if not made:
        raise Conflict(message=f"There is a source {name!r} already.")
    _audit(source, "source.create", after=name)
    return source


@transaction.atomic
def source_rename(*, organisation: Organisation, source: Source, name: str) -> Source:
    """Raises Conflict when the name is taken, Invalid when it is empty."""
    name = _name_checked(name)
    if Source.objects.filter(organisation=organisation, name=name).exclude(pk=source.pk).exists():
        raise Conflict(message=f"There is a source {name!r} already.")
    before = Source.objects.select_for_update().values_list("name", flat=True).get(pk=source.pk)
    source.name = name
    source.save(update_fields=["name"])
    if before != name:
        _audit(source, "source.update", before=before, after=name)
    return source


@transaction.atomic
def source_for_uploads(*, organisation: Organisation) -> Source:
    """Where files go that name no source: the oldest for uploads, made when there is none."""
    found = Source.objects.filter(organisation=organisation, kind=SourceKind.UPLOADS).order_by("created", "id").first()
    if found is None:
        found, made = Source.objects.get_or_create(organisation=organisation, name="Uploads")
        if made:
            _audit(found, "source.create", after=found.name)
    return found
