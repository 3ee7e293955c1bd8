"""Organisations in Django admin: the settings that each organisation chooses, and those that operators decide."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from app.accounts.choices import Scheme
from app.accounts.models import Organisation
from app.accounts.services import organisation_create, organisation_suspend, organisation_update
from app.admin_site.actions import object_action
from app.admin_site.organisation_switcher import PARAMETER
from app.admin_site.tenant_admin import ScopedAdmin, display, is_operator

# The green that the portal shows while no accent is chosen. A colour field cannot be empty.
DEFAULT_ACCENT = "#0d6a4b"
STATES = {"open": "success", "suspended": "danger"}


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]
    accent = forms.CharField(
        required=False,
        max_length=7,
        initial=DEFAULT_ACCENT,
        widget=UnfoldAdminColorInputWidget,
        help_text="Buttons, links and citations in the portal. Made darker or lighter where it is hard to read.",
    )
    scheme = forms.ChoiceField(
        choices=Scheme.choices,
        initial=Scheme.AUTO,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="What the portal opens with. Each person can choose otherwise for themselves.",
    )
    welcome = forms.CharField(
        required=False,
        max_length=300,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Shown above an empty conversation: what can be asked here, whom to turn to.",
    )

    class Meta:
        model = Organisation
        settings = ("accent", "scheme", "welcome", "retention_days", "chunk_tokens", "chunk_overlap")
        fields = ("name", "slug", "plan", *settings)
        labels = {
            "retention_days": "Keep conversations for",
            "chunk_tokens": "Length of passages",
            "chunk_overlap": "Overlap of passages",
        }
        help_texts = {
            "slug": "Short name in addresses, keys and commands. It cannot be changed later.",
            "plan": "How much may be asked. Chosen by the operators of this box.",
            "retention_days": "Days after the last turn, for example 90. Older ones are removed every night, for good. "
            "Empty: they are kept until their owner deletes them.",
            "chunk_tokens": "In tokens, about three quarters of a word each; 50 to 4,000. Shorter ones are quoted more "
            "exactly, longer ones hold more context. Documents take a new length when they are read again.",
            "chunk_overlap": "In tokens, at most half of the length: what two neighbours share.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.initial.get("accent"):
            self.initial["accent"] = DEFAULT_ACCENT

    def clean_accent(self) -> str:
        accent = str(self.cleaned_data["accent"]).lower()
        return "" if accent == DEFAULT_ACCENT else accent


@admin.register(Organisation)
class OrganisationAdmin(ScopedAdmin):
    organisation_path = "pk"
    may_add = may_change = True
    operator_only = frozenset({"add"})
    form = OrganisationForm
    list_display = ("name", "slug", "plan", "members_count", "documents_count", "state", "dashboard")
    list_select_related = ("plan",)
    list_filter = ("plan",)
    search_fields = ("name", "slug")
    actions_detail = actions_row = ("suspend", "reopen")
    change_form_after_template = "admin/accounts/theme_preview.html"
    fieldsets = (
        (None, {"fields": ("name", "slug", "plan", "state")}),
        ("Conversations", {"fields": ("retention_days",)}),
        ("Reading documents", {"fields": ("chunk_tokens", "chunk_overlap")}),
        # Last, because the preview of the theme is shown below it.
        ("Portal", {"fields": ("accent", "scheme", "welcome")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if request.__dict__.get("_admin_lists"):
            counts = {"members_shown": Count("memberships", distinct=True)}
            rows = rows.annotate(**counts, documents_shown=Count("documents", distinct=True))
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = [*super().get_readonly_fields(request, obj), "state"]
        if obj is not None:
            fixed.append("slug")  # keys, scripts and addresses contain it
        return fixed if is_operator(request) else [*fixed, "plan"]

    @display(description="State", label=STATES)
    def state(self, obj: Organisation) -> str:
        return "suspended" if obj.suspended else "open"

    @display(description="Members", ordering="members_shown")
    def members_count(self, obj: Any) -> int:
        return int(obj.members_shown)

    @display(description="Documents", ordering="documents_shown")
    def documents_count(self, obj: Any) -> int:
        return int(obj.documents_shown)

    @display(description="Dashboard")
    def dashboard(self, obj: Organisation) -> str:
        return format_html('<a href="{}?{}={}">Open</a>', reverse("admin:index"), PARAMETER, obj.slug)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        with transaction.atomic():
            if not change:
                obj.pk = organisation_create(slug=obj.slug, name=obj.name).pk
            changed = [name for name in form.changed_data if change or name not in ("slug", "name")]
            organisation_update(organisation=obj.pk, values={name: getattr(obj, name) for name in changed})

    @object_action(
        description="Suspend",
        words="Everybody of this organisation is refused, people and keys alike. Nothing is lost.",
        icon="block",
        permission="suspend",
        danger=True,
        applies=lambda row: row.suspended is None,
    )
    def suspend(self, request: HttpRequest, obj: Organisation) -> str:
        organisation_suspend(organisation=obj, suspended=True)
        return f"{obj.name} is suspended."

    @object_action(
        description="Reopen",
        words="The people and the keys of this organisation are let in again.",
        icon="lock_open",
        permission="suspend",
        applies=lambda row: row.suspended is not None,
    )
    def reopen(self, request: HttpRequest, obj: Organisation) -> str:
        organisation_suspend(organisation=obj, suspended=False)
        return f"{obj.name} is open again."

    def has_suspend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)
