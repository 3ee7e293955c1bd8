from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html

from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ReadOnlyAdmin, ReadOnlyInline, action, display
from app.errors import CODES, RefdeskError
from app.library.models import Document, DocumentVersion
from app.library.selectors.documents import documents_describe
from app.library.services.documents import ENDED, document_cancel, document_delete, document_retry

Service = Callable[..., Any]
STATES = {"ready": "success", "failed": "danger", "running": "info", "queued": "info", "cancelled": "warning"}


class VersionInline(ReadOnlyInline):
    model = DocumentVersion
    fk_name = "document"
    fields = readonly_fields = (
        "number", "state", "bytes", "pages", "chunks", "language", "embedding_model", "fetched", "retired"
    )  # fmt: skip


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    when_empty = "Drop files on the portal's Documents page. Answers come from them."
    when_deleted = "What was read from it goes with it. Answers that cite it keep their quotations."
    may_delete = True
    may_change = True  # by its buttons only: every field is read-only
    actions = ("retry", "cancel")
    actions_row = actions_detail = ("retry_this", "cancel_this")
    list_display = ("name", "organisation", "source", "state_shown", "progress", "pages", "passages", "size", "updated")
    list_select_related = ("organisation", "source")
    list_filter = ("organisation", "state", "source", "error_code")
    search_fields = ("name", "external_id", "versions__sha256")
    ordering = ("-created",)
    inlines = (VersionInline,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "organisation",
                    "source",
                    "external_id",
                    "name",
                    "url",
                    "media_type",
                    "size",
                    "fingerprint",
                    "uploaded_by",
                    "metadata",
                )
            },
        ),
        ("State", {"fields": ("state_shown", "progress", "failure", "hint", "version", "pages", "passages", "portal")}),
        ("Times", {"fields": ("created", "updated")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Django ignores `list_select_related` when the queryset already selects related rows.
        rows: QuerySet[Any] = documents_describe(super().get_queryset(request)).select_related("organisation", "source")
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        own = ["state_shown", "progress", "passages", "size", "fingerprint", "failure", "hint", "portal"]
        return [*super().get_readonly_fields(request, obj), *own]

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: Document) -> str:
        return obj.state

    @display(description="Step or error")
    def progress(self, obj: Document) -> str:
        if obj.error_code:
            return obj.error_message or obj.error_code
        return f"{obj.get_step_display()} {obj.percent}%" if obj.step and obj.state == "running" else ""

    @display(description="Size", ordering="newest__bytes")
    def size(self, obj: Any) -> str:
        return filesizeformat(obj.bytes or 0)

    @display(description="Passages", ordering="chunks")
    def passages(self, obj: Document) -> int | None:
        return obj.chunks

    @display(description="SHA-256")
    def fingerprint(self, obj: Any) -> str:
        return f"{obj.sha256[:16]}…" if obj.sha256 else ""

    @display(description="Error")
    def failure(self, obj: Document) -> str:
        return f"{obj.error_message} ({obj.error_code})" if obj.error_code else ""

    @display(description="What to do")
    def hint(self, obj: Document) -> str:
        entry = CODES.get(obj.error_code)
        return entry.hint if entry else ""

    @display(description="In the portal")
    def portal(self, obj: Document) -> str:
        return format_html('<a href="{}">Passages and original</a>', reverse("document", args=[obj.pk]))

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        document_delete(organisation=obj.organisation_id, document=obj.pk)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        return

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        context.update(show_save=False, show_save_and_continue=False, show_close=True)
        answer: HttpResponse = super().render_change_form(request, context, **kwargs)
        return answer

    @object_action(
        description="Read again",
        words="The document is read, cut into passages and indexed anew, with the settings of now. Until that is done, "
        "what was read before answers.",
        icon="refresh",
        applies=lambda row: row.state in ENDED,
    )
    def retry_this(self, request: HttpRequest, obj: Document) -> str:
        document_retry(organisation=obj.organisation_id, document=obj.pk)
        return f"{obj.name} is queued again."

    @object_action(
        description="Cancel the work",
        words="The work on it stops. What was read before stays; reading again begins anew.",
        icon="cancel",
        danger=True,
        applies=lambda row: row.state not in ENDED,
    )
    def cancel_this(self, request: HttpRequest, obj: Document) -> str:
        document_cancel(organisation=obj.organisation_id, document=obj.pk)
        return f"The work on {obj.name} is cancelled."

    @action(description="Read the chosen documents again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(request, queryset, document_retry, "Queued again")

    @action(description="Cancel the work on the chosen documents")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(request, queryset, document_cancel, "Cancelled")

    def _each(self, request: HttpRequest, queryset: QuerySet[Any], service: Service, done: str) -> None:
        """Call the service for each document; a failure does not stop the others."""
        count = 0
        for document in queryset:
            try:
                service(organisation=document.organisation_id, document=document.pk)
                count += 1
            except RefdeskError as error:
                self.message_user(request, f"{document.name}: {error.message}", messages.ERROR)
        if count:
            self.message_user(request, f"{done}: {count}.")
