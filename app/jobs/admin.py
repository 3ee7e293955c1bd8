from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil

from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ReadOnlyAdmin, action, display
from app.errors import RefdeskError
from app.jobs.choices import OPEN, JobState
from app.jobs.models import Job, Schedule
from app.jobs.registry import kind_find, kinds_all
from app.jobs.services import ENDED_BADLY, job_cancel, job_retry

STATES = {"done": "success", "failed": "danger", "running": "info", "queued": "info", "cancelled": "warning"}
# Interval of the list's reload while a job is open.
AGAIN_S = 5


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((kind.kind, kind.title) for kind in kinds_all()), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


def may_retry(job: Job) -> bool:
    kind = kind_find(job.kind)
    return kind is not None and kind.may_retry and not kind.secret and job.state in ENDED_BADLY


def may_cancel(job: Job) -> bool:
    kind = kind_find(job.kind)
    return kind is not None and kind.may_cancel and job.state in OPEN


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs that run or wait, with reason and time. An operator also sees the box's own jobs."""

    when_empty = "Jobs are work in the background: documents that are read, exports, mails. They begin by themselves."
    may_change = True  # by the buttons only: every field is read-only
    empty_value_display = "This box"
    list_display = ("title", "about", "organisation", "state_shown", "progress", "why", "since", "attempt", "updated")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "state", KindFilter, "lane", "error_code")
    ordering = ("-id",)
    actions = ("retry", "cancel")
    actions_row = actions_detail = ("retry_this", "cancel_this")
    fieldsets = (
        (None, {"fields": ("title", "about", "organisation", "lane")}),
        ("State", {"fields": ("state_shown", "progress", "why", "attempt", "deaths")}),
        ("Times", {"fields": ("created", "started", "not_before", "waiting_since", "lease_until", "ended")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "title", "about", "state_shown", "progress", "why"]

    @display(description="Job", ordering="kind")
    def title(self, obj: Job) -> str:
        kind = kind_find(obj.kind)
        return kind.title if kind is not None else obj.kind

    @display(description="About")
    def about(self, obj: Job) -> str:
        kind = kind_find(obj.kind)
        return (kind.subject_name(obj) if kind is not None else "") or "–"

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: Job) -> str:
        return obj.state

    @display(description="Step")
    def progress(self, obj: Job) -> str:
        if obj.state not in OPEN or not obj.step:
            return "–"
        return f"{obj.step.replace('_', ' ').capitalize()} {obj.percent}%"

    @display(description="Why")
    def why(self, obj: Job) -> str:
        return reason(obj) or "–"

    @display(description="Since", ordering="created")
    def since(self, obj: Job) -> str:
        begun = obj.ended or obj.waiting_since or (obj.started if obj.state == JobState.RUNNING else obj.created)
        return timesince(begun, depth=1) if begun else "–"

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().changelist_view(request, *args, **kwargs)
        if request.method == "GET" and self.get_queryset(request).filter(state__in=OPEN).exists():
            response["Refresh"] = str(AGAIN_S)
        return response

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        return

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        context.update(show_save=False, show_save_and_continue=False, show_close=True)
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    @object_action(description="Try again", words="It is queued again.", icon="refresh", applies=may_retry)
    def retry_this(self, request: HttpRequest, obj: Job) -> str:
        job_retry(job=obj)
        return "Queued again."

    @object_action(
        description="Cancel",
        words="It stops within a second. What it has kept stays; trying again goes on from there.",
        icon="cancel",
        danger=True,
        applies=may_cancel,
    )
    def cancel_this(self, request: HttpRequest, obj: Job) -> str:
        job_cancel(job=obj)
        return "Cancelled."

    @action(description="Try the chosen jobs again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(request, queryset, job_retry, "queued again")

    @action(description="Cancel the chosen jobs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(request, queryset, job_cancel, "cancelled")

    def _each(self, request: HttpRequest, queryset: QuerySet[Any], change: Any, done: str) -> None:
        """Change each job of a selection; one that cannot be changed does not keep the others from it."""
        count = 0
        for job in queryset:
            try:
                change(job=job)
                count += 1
            except RefdeskError as error:
                self.message_user(request, f"{self.title(job)}: {error.message}", "error")
        if count:
            self.message_user(request, f"{count} {done}.")


def reason(job: Job) -> str:
    """Return the reason why a job waits or failed, for a person."""
    if job.error_code and job.state != JobState.RUNNING:
        text = job.error_message or job.error_code
        if job.state == JobState.QUEUED and job.not_before and job.not_before > timezone.now():
            return f"{text} Tried again in {timeuntil(job.not_before)}."
        return text
    if job.state == JobState.QUEUED:
        if job.not_before and job.not_before > timezone.now():
            return f"Begins in {timeuntil(job.not_before)}."
        return "Waits for its turn."
    if job.state == JobState.RUNNING and job.lease_until and job.lease_until < timezone.now():
        return "Its worker does not answer; another one takes it."
    return ""


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """The schedule's rows: when jobs begin automatically."""

    when_empty = "What is on the schedule begins by itself: a source that is read every night, for example."
    empty_value_display = "This box"
    list_display = ("title", "organisation", "when", "next_run", "last_run_shown")
    list_select_related = ("organisation",)
    list_filter = ("organisation",)
    ordering = ("next_run", "pk")
    fields = ("title", "organisation", "when", "next_run", "last_run_shown")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "title", "when", "last_run_shown"]

    @display(description="Job", ordering="kind")
    def title(self, obj: Schedule) -> str:
        kind = kind_find(obj.kind)
        return kind.title if kind is not None else obj.kind

    @display(description="When")
    def when(self, obj: Schedule) -> str:
        if obj.every_s is not None:
            return f"every {obj.every_s // 60} minutes" if obj.every_s >= 60 else f"every {obj.every_s} s"
        return f"{obj.cron} ({obj.time_zone})"

    @display(description="Last time", ordering="last_run")
    def last_run_shown(self, obj: Schedule) -> str:
        return f"{obj.last_run:%Y-%m-%d %H:%M} UTC" if obj.last_run else "not yet"
