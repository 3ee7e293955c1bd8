from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from app.accounts.models import Organisation
from app.audit.trail import audit_record
from app.errors import Conflict, Invalid
from app.jobs.schedule import schedule_clear, schedule_set
from app.library.choices import OPEN_RUNS, SchedulePreset, SourceKind
from app.library.connectors.registry import connector_class, settings_check
from app.library.models import Document, Run, Source
from app.library.services.documents import document_delete
from app.library.services.runs import SOURCE_RUN, run_cancel
from app.secrets.services import secret_delete

NAME_LENGTH = 200
# Fields that an audit entry compares.
_AUDITED = ("name", "settings", "preset", "cron", "time_zone")


def _name_checked(name: str) -> str:
    name = name.replace("\0", "").strip()[:NAME_LENGTH]
    if not name:
        raise Invalid(message="A source needs a name.")
    return name


def _audit(
    source: Source, action: str, *, before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None
) -> None:
    audit_record(
        organisation=source.organisation_id,
        action=action,
        target_kind="source",
        target=str(source.pk),
        target_name=source.name,
        before=before,
        after=after,
    )


def _audited(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in _AUDITED}


@transaction.atomic
def source_create(
    *,
    organisation: Organisation,
    name: str,
    kind: SourceKind | str = SourceKind.UPLOADS,
    settings: dict[str, Any] | None = None,
    preset: SchedulePreset | str = SchedulePreset.OFF,
    cron: str = "",
    time_zone: str = "UTC",
) -> Source:
    """Make a source.

    Raises:
        Conflict: the name is taken.
        Invalid: the name is empty, the kind has no connector, or a setting or the schedule cannot be used.
    """
    name = _name_checked(name)
    values = {
        "kind": kind,
        "settings": settings_check(kind, settings or {}),
        "preset": preset,
        "cron": cron,
        "time_zone": time_zone,
    }
    source, made = Source.objects.get_or_create(organisation=organisation, name=name, defaults=values)
    if not made:
        raise Conflict(message=f"There is a source {name!r} already.")
    _schedule(source)
    _audit(source, "source.create", after={"kind": source.kind, **_audited(source)})
    return source


@transaction.atomic
def source_update(*, organisation: Organisation, source: Source, changes: Mapping[str, Any]) -> Source:
    """Change a source. changes: of name, settings, preset, cron and time_zone.

    Raises:
        Conflict: the name is taken.
        Invalid: the name is empty, or a setting or the schedule cannot be used.
    """
    row = Source.objects.select_for_update().get(organisation=organisation, pk=source.pk)
    before = _audited(row)
    for name in changes.keys() & set(_AUDITED):
        setattr(row, name, changes[name])
    row.name = _name_checked(row.name)
    if Source.objects.filter(organisation=organisation, name=row.name).exclude(pk=row.pk).exists():
        raise Conflict(message=f"There is a source {row.name!r} already.")
    row.settings = settings_check(row.kind, row.settings)
    if row.settings != before["settings"]:
        # The position of a run with other settings does not apply to the new ones.
        row.cursor = None
    _schedule(row)
    row.save()
    if before != _audited(row):
        _audit(row, "source.update", before=before, after=_audited(row))
    return row


def _schedule(source: Source) -> None:
    """Put a source on the schedule, or take it off."""
    name = source.schedule_name
    if source.preset == SchedulePreset.OFF:
        schedule_clear(name=name, organisation=source.organisation_id)
        return
    if not connector_class(source.kind).discovers:
        raise Invalid(message="Documents are brought to this kind of source: it is not read on a schedule.")
    schedule_set(
        name=name,
        kind=SOURCE_RUN,
        organisation=source.organisation_id,
        cron=cron_of(source),
        time_zone=source.time_zone,
        subject=source.pk,
    )


def cron_of(source: Source) -> str:
    """Return the cron expression of a source's schedule. Each source has its own minute for presets."""
    minute = source.pk.int % 60
    presets = {
        SchedulePreset.HOURLY: f"{minute} * * * *",
        SchedulePreset.DAILY: f"{minute} 3 * * *",
        SchedulePreset.WEEKLY: f"{minute} 3 * * mon",
        SchedulePreset.MONTHLY: f"{minute} 3 1 * *",
    }
    return presets.get(SchedulePreset(source.preset), source.cron)


@transaction.atomic
def source_for_uploads(*, organisation: Organisation) -> Source:
    """Return the source of files that name none: the oldest for uploads, made when there is none."""
    source = Source.objects.filter(organisation=organisation, kind=SourceKind.UPLOADS).order_by("created", "id").first()
    if source is None:
        source, made = Source.objects.get_or_create(organisation=organisation, name="Uploads")
        if made:
            _audit(source, "source.create", after={"kind": source.kind, **_audited(source)})
    return source


def source_bring_check(*, source: Source) -> None:
    """Raise Conflict when a source is read by its connector, so that documents cannot be sent to it."""
    if connector_class(source.kind).discovers:
        raise Conflict(message="This source is read by itself; documents cannot be brought to it.")


def source_delete(*, organisation: UUID, source: Source) -> int:
    """Remove a source with its documents, and return how many there were.

    Raises:
        Conflict: a document was added meanwhile.
    """
    run = Run.objects.select_related("source").filter(source=source, state__in=OPEN_RUNS).first()
    if run is not None:
        run_cancel(run=run)
    rows = Document.objects.filter(organisation=organisation, source=source)
    documents = rows.count()
    # Files inside a document go with it.
    for document in list(rows.filter(parent=None).values_list("id", flat=True)):
        document_delete(organisation=organisation, document=document)
    # A document that was added meanwhile keeps its source: deleting its row here would leave its vectors behind.
    with transaction.atomic():
        locked = Source.objects.select_for_update().get(pk=source.pk)
        if Document.objects.filter(source=locked).exists():
            raise Conflict(message="A document was added meanwhile. Try again.")
        schedule_clear(name=source.schedule_name, organisation=organisation)
        locked.delete()
        if locked.credential_id is not None:
            secret_delete(organisation=organisation, secret=locked.credential_id)
        _audit(source, "source.delete", before={"documents": documents})
    return documents
