"""Plans in Django admin, which operators maintain for the whole box."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from app.accounts.models import Organisation
from app.admin_site.tenant_admin import ScopedAdmin, admin_roles, display, is_operator
from app.plans.models import Plan
from app.plans.services import plan_create, plan_delete, plan_update

LIMITS = (
    "requests_per_minute",
    "person_requests_per_minute",
    "tokens_per_minute",
    "requests_per_month",
    "tokens_per_month",
    "documents",
    "document_mb",
    "document_pages",
    "recording_minutes",
    "soft_percent",
)

_LABELS = {
    "name": ("Short name", "Organisations, keys and commands name it. It cannot be changed later."),
    "title": ("Name", "As people read it."),
    "requests_per_minute": (
        "Requests a minute",
        "For an organisation, or a key that has this plan. Empty: no limit.",
    ),
    "person_requests_per_minute": (
        "Requests a minute of one person",
        "So that one person, or one visitor of a widget, cannot use up everybody's share. Empty: no limit.",
    ),
    "tokens_per_minute": ("Tokens a minute", "Read and written by models. Empty: no limit."),
    "requests_per_month": (
        "Questions and searches a month",
        "Then nobody can ask until the next month. Empty: no limit.",
    ),
    "tokens_per_month": (
        "Tokens a month",
        "Then no question is answered by a model until the next month. Empty: no limit.",
    ),
    "documents": ("Documents", "Of the organisation. Then nothing can be added. Empty: no limit."),
    "document_mb": ("Size of all documents", "In MB, of the files as they were added. Empty: no limit."),
    "document_pages": ("Pages of all documents", "A file whose pages do not fit is not read. Empty: no limit."),
    "recording_minutes": (
        "Minutes of all recordings",
        "A recording that does not fit is not read. Empty: no limit.",
    ),
    "soft_percent": (
        "Tell from",
        "Per cent of a limit of the month or the library. From there on, admins see a notice.",
    ),
}


@admin.register(Plan)
class PlanAdmin(ScopedAdmin):
    """Plans: an organisation's admins see their own plan; only operators see the others, and change any."""

    when_deleted = "Only a plan that nobody has can be deleted."
    may_add = may_change = may_delete = True
    operator_only = frozenset({"add", "change", "delete"})
    list_display = ("title", "name", "per_minute", "per_month", "given_to")
    search_fields = ("name", "title")
    fields = ("name", "title", *LIMITS)

    def listed_only(self, request: HttpRequest) -> Organisation | None:
        return None

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in _LABELS:
            kwargs["label"], kwargs["help_text"] = _LABELS[db_field.name]
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        if not is_operator(request):
            # A plan's name or its count of organisations may reveal another organisation.
            return Plan.objects.filter(organisations__in=list(admin_roles(request))).distinct().order_by("name")
        return Plan.objects.annotate(organisations_count=Count("organisations")).order_by("name")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in super().get_list_display(request) if name != "given_to" or is_operator(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        # Fixed: organisations and keys refer to the name.
        return [*super().get_readonly_fields(request, obj), *(["name"] if obj is not None else [])]

    @display(description="Requests a minute")
    def per_minute(self, obj: Plan) -> str:
        return _limit(obj.requests_per_minute)

    @display(description="Questions and searches a month")
    def per_month(self, obj: Plan) -> str:
        return _limit(obj.requests_per_month)

    @display(description="Organisations")
    def given_to(self, obj: Any) -> int:
        return int(obj.organisations_count)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in ("title", *LIMITS) if name in form.cleaned_data}
        if change:
            plan_update(name=obj.pk, values=values)
        else:
            plan_create(name=obj.pk, values=values)

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        plan_delete(name=obj.pk)


def _limit(most: int | None) -> str:
    return "no limit" if most is None else f"{most:,}"
