from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from app.accounts.admin_scope import ReadOnlyAdmin, ReadOnlyInline, ScopedAdmin, display
from app.errors import CODES, Conflict, Invalid
from app.sources.models import Document, DocumentVersion, Source
from app.sources.services import source_create

STATES = {"ready": "success", "failed": "danger", "running": "info", "queued": "info", "cancelled": "warning"}


@admin.register(Source)
class SourceAdmin(ScopedAdmin):
    may_add = may_change = True
    list_display = ("name", "organisation", "kind", "documents_count", "created")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "kind")
    search_fields = ("name",)
    fields = ("organisation", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(documents_shown=Count("documents"))
        return rows

    @display(description="Documents", ordering="documents_shown")
    def documents_count(self, obj: Any) -> int:
        return int(obj.documents_shown)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        if not change:
            obj.pk = source_create(organisation=organisation, name=obj.name).pk
            return
        obj.name = obj.name.strip()
        if not obj.name:
            raise Invalid(message="A source needs a name.")
        if Source.objects.filter(organisation=organisation, name=obj.name).exclude(pk=obj.pk).exists():
            raise Conflict(message=f"There is a source {obj.name!r} already.")
        obj.save(update_fields=["name"])


class VersionInline(ReadOnlyInline):
    model = DocumentVersion
    fk_name = "document"
    fields = readonly_fields = ("number", "state", "pages", "chunks", "language", "embedding_model", "created")


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("name", "organisation", "source", "state_shown", "progress", "pages", "chunks", "size", "updated")
    list_select_related = ("organisation", "source")
    list_filter = ("organisation", "state", "source", "error_code")
    search_fields = ("name", "sha256")
    ordering = ("-created",)
    inlines = (VersionInline,)
    fieldsets = (
        (None, {"fields": ("organisation", "source", "name", "media_type", "size", "sha256", "uploaded_by")}),
        ("State", {"fields": ("state_shown", "progress", "failure", "hint", "version", "pages", "chunks")}),
        ("Times", {"fields": ("created", "updated")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        own = ["state_shown", "progress", "size", "failure", "hint"]
        return [*super().get_readonly_fields(request, obj), *own]

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: Document) -> str:
        return obj.state

    @display(description="Progress")
    def progress(self, obj: Document) -> str:
        return f"{obj.get_step_display()} {obj.percent}%" if obj.step and obj.state == "running" else ""

    @display(description="Size", ordering="bytes")
    def size(self, obj: Document) -> str:
        return filesizeformat(obj.bytes)

    @display(description="Error")
    def failure(self, obj: Document) -> str:
        return f"{obj.error_message} ({obj.error_code})" if obj.error_code else "none"

    @display(description="What to do")
    def hint(self, obj: Document) -> str:
        entry = CODES.get(obj.error_code)
        return entry.hint if entry else ""
