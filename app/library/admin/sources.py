from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from app.admin_site.tenant_admin import ReadOnlyAdmin, ScopedAdmin, display
from app.errors import CODES
from app.library.choices import SchedulePreset
from app.library.models import Run, RunItem, Source
from app.library.services.sources import source_create, source_delete, source_update

STATES = {"done": "success", "failed": "danger", "running": "info", "queued": "info", "cancelled": "warning"}
OUTCOMES = {"read": "success", "unchanged": "info", "removed": "warning", "failed": "danger", "http_error": "danger"}
CHOSEN = ("settings", "preset", "cron", "time_zone")


@admin.register(Source)
class SourceAdmin(ScopedAdmin):
    when_empty = "A source is a place that documents come from. Add one, then upload or push documents to it."
    when_deleted = "Its documents go with it: nobody can ask about them any more."
    may_add = may_change = may_delete = True
    list_display = ("name", "organisation", "kind", "documents_count", "schedule", "last_run", "created")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "kind")
    # Repeated here: a query that groups and counts loses the model's order.
    ordering = ("name", "pk")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        newest = Run.objects.filter(source=OuterRef("pk")).order_by("-created").values("state")[:1]
        rows: QuerySet[Any] = (
            super().get_queryset(request).annotate(documents_shown=Count("documents"), run_shown=Subquery(newest))
        )
        return rows

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        excluded = self.get_exclude(request, obj)
        fields = ("organisation", "name", "kind", *CHOSEN, *(["runs_link"] if obj is not None else []))
        return [name for name in fields if name not in excluded]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "runs_link", *(["kind"] if obj is not None else [])]

    @display(description="Documents", ordering="documents_shown")
    def documents_count(self, obj: Any) -> int:
        return int(obj.documents_shown)

    @display(description="Read")
    def schedule(self, obj: Source) -> str:
        return obj.cron if obj.preset == SchedulePreset.CRON else SchedulePreset(obj.preset).label

    @display(description="Last run", label=STATES)
    def last_run(self, obj: Any) -> str:
        return obj.run_shown or ""

    @display(description="Runs")
    def runs_link(self, obj: Source) -> str:
        address = f"{reverse('admin:library_run_changelist')}?source__id__exact={obj.pk}"
        return format_html('<a href="{}">Runs of this source</a>', address)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        chosen = {name: getattr(obj, name) for name in CHOSEN}
        if not change:
            obj.pk = source_create(organisation=organisation, name=obj.name, kind=obj.kind, **chosen).pk
            return
        source_update(organisation=organisation, source=obj, changes={"name": obj.name, **chosen})

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        source_delete(organisation=obj.organisation_id, source=obj)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    when_empty = "A run reads a source that is read by itself: on its schedule, or when somebody asks for it."
    list_display = ("source", "organisation", "state_shown", "seen", "read", "removed", "failed", "started", "ended")
    list_select_related = ("organisation", "source")
    list_filter = ("organisation", "state", "source")
    search_fields = ("source__name",)
    ordering = ("-created",)
    fieldsets = (
        (None, {"fields": ("organisation", "source", "state_shown", "failure", "hint", "items_link")}),
        ("Items", {"fields": ("seen", "read", "unchanged", "removed", "skipped", "failed")}),
        ("Times", {"fields": ("created", "started", "ended")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "state_shown", "failure", "hint", "items_link"]

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: Run) -> str:
        return obj.state

    @display(description="Error")
    def failure(self, obj: Run) -> str:
        return f"{obj.error_message} ({obj.error_code})" if obj.error_code else ""

    @display(description="What to do")
    def hint(self, obj: Run) -> str:
        entry = CODES.get(obj.error_code)
        return entry.hint if entry else ""

    @display(description="What became of them")
    def items_link(self, obj: Run) -> str:
        address = f"{reverse('admin:library_runitem_changelist')}?run__id__exact={obj.pk}"
        return format_html('<a href="{}">Items of this run</a>', address)


@admin.register(RunItem)
class RunItemAdmin(ReadOnlyAdmin):
    when_empty = "What a run makes of each item of its source is listed here."
    list_display = ("external_id", "run", "organisation", "outcome_shown", "status", "document", "detail", "at")
    list_select_related = ("organisation", "run", "document")
    list_filter = ("organisation", "outcome")
    search_fields = ("external_id", "url")
    ordering = ("-id",)

    @display(description="Outcome", ordering="outcome", label=OUTCOMES)
    def outcome_shown(self, obj: RunItem) -> str:
        return obj.outcome
