"""The audit trail in Django admin, read-only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from app.accounts.models import Organisation
from app.admin_site.organisation_switcher import SESSION_KEY
from app.admin_site.tenant_admin import ReadOnlyAdmin, display, is_operator
from app.audit.models import AuditEntry
from app.audit.selectors import actor_name, target_name

# An actor's kind is neither good nor bad: only the kind that needs no sign-in is coloured.
KINDS = {"command": "warning"}
ERASED = "erased"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The entries: an organisation's admins see its own; operators see those of the box too."""

    list_display = ("at", "place", "action", "who", "kind", "whom", "organisation")
    empty_value_display = "This box"
    list_select_related = ("organisation", "detail")
    list_filter = ("organisation", "action", "actor_kind", "at")
    search_fields = ("detail__content__actor", "detail__content__target", "target", "action")
    ordering = ("-at", "-id")
    fieldsets = (
        (None, {"fields": ("at", "action", "organisation")}),
        ("Who", {"fields": ("who", "kind", "actor", "address")}),
        ("What", {"fields": ("target_kind", "whom", "target", "changes")}),
        ("Chain", {"fields": ("number", "previous", "hash", "detail_hash")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "who", "kind", "address", "whom", "changes"]

    def listed_only(self, request: HttpRequest) -> Organisation | None:
        """Return the organisation that limits the list; None for an operator who chose none: the box's entries too."""
        if is_operator(request) and SESSION_KEY not in request.session:
            return None
        return super().listed_only(request)

    @display(description="Number", ordering="number")
    def place(self, obj: AuditEntry) -> str:
        """Return the number in its chain with the chain's name: each organisation counts by itself."""
        return f"{obj.organisation.slug if obj.organisation else 'box'} {obj.number}"

    @display(description="Who")
    def who(self, obj: AuditEntry) -> str:
        name = actor_name(obj)
        if name or not obj.detail.content.get("erased"):
            return name or ("not signed in" if obj.actor is None else str(obj.actor))
        return ERASED

    @display(description="As", ordering="actor_kind", label=KINDS)
    def kind(self, obj: AuditEntry) -> str:
        return obj.actor_kind

    @display(description="From")
    def address(self, obj: AuditEntry) -> str:
        return ERASED if obj.detail.content.get("erased") else obj.detail.content.get("address") or "this machine"

    @display(description="What was changed")
    def whom(self, obj: AuditEntry) -> str:
        return target_name(obj) or (ERASED if obj.detail.content.get("erased") else obj.target)

    @display(description="Before and after")
    def changes(self, obj: AuditEntry) -> SafeString | str:
        content = obj.detail.content
        if content.get("erased"):
            return "Erased, as the person or the organisation was."
        before, after = content.get("before") or {}, content.get("after") or {}
        names = sorted({*before, *after})
        if not names:
            return "Nothing more is recorded."
        head = format_html("<tr><th>{}</th><th>{}</th><th>{}</th></tr>", "", "Before", "After")
        cell = "<tr><th>{}</th><td>{}</td><td>{}</td></tr>"
        body = format_html_join(
            "", cell, ((name, _value_text(before, name), _value_text(after, name)) for name in names)
        )
        return format_html('<table class="audit-changes">{}{}</table>', head, body)


def _value_text(side: dict[str, Any], name: str) -> str:
    if name not in side:
        return ""
    value = side[name]
    if value is None or value == "":
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
