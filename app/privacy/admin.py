from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from app.accounts.choices import Role
from app.accounts.models import User
from app.admin_site.roles import admin_roles, is_operator, request_user, role_in
from app.admin_site.tenant_admin import ReadOnlyAdmin, ScopedAdmin, action, display
from app.errors import CODES, RefdeskError
from app.portal.pages import error_page
from app.privacy.choices import OPEN, ErasureKind, ExportKind
from app.privacy.erasure.receipts import receipt_counts, receipt_text
from app.privacy.erasure.services import erasure_retry, organisation_erase, person_erase
from app.privacy.exports.downloads import export_answer
from app.privacy.exports.services import export_create, export_delete
from app.privacy.forms import PERSON, ExportForm, OrganisationErasureForm, PersonErasureForm
from app.privacy.models import Erasure, Export, RetentionRun

STATES = {"done": "success", "failed": "danger", "running": "info", "queued": "info"}
OTHER = "To erase the whole organisation, use its own form."
# How often a page loads itself again while something is under way.
AGAIN_S = 5


class RequestAdmin(ScopedAdmin):
    """A list of requests that shows their progress and reloads itself while one is open."""

    may_add = True
    list_select_related = ("organisation",)
    list_filter = ("organisation", "state", "kind")
    ordering = ("-created",)

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: Any) -> str:
        return str(obj.state)

    @display(description="Progress")
    def progress(self, obj: Any) -> str:
        return f"{obj.percent}%" if obj.state in OPEN else ""

    @display(description="Error")
    def failure(self, obj: Any) -> str:
        entry = CODES.get(obj.error_code)
        return f"{entry.message} {entry.hint}" if entry else ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        answer = super().changelist_view(request, extra_context)
        if request.method == "GET" and self.get_queryset(request).filter(state__in=OPEN).exists():
            answer["Refresh"] = str(AGAIN_S)
        return answer

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, "Queued. This page follows it.")
        name = f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_changelist"
        return HttpResponseRedirect(reverse(name))


@admin.register(Export)
class ExportAdmin(RequestAdmin):
    """Exports to download. Only owners see those with conversations, only the person an export of their account."""

    when_empty = "An export holds everything of an organisation or of a person, as JSON and files."
    when_deleted = "The file is removed with it."
    add_words = "Make the export"
    form = ExportForm
    may_delete = True
    list_display = ("created", "organisation", "kind", "state_shown", "progress", "size", "expires", "download")
    readonly_fields = ("state_shown", "progress", "failure", "size", "rows", "download")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        user = request.user
        own = Q(person=user.pk, requested_by=user.pk) if isinstance(user, User) else Q(pk=None)
        others = ~Q(kind=ExportKind.ACCOUNT)
        if not is_operator(request):
            owned = [organisation for organisation, role in admin_roles(request).items() if role == Role.OWNER]
            others &= Q(conversations=False) | Q(organisation__in=owned)
        return rows.filter(own | others)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return [name for name in ("organisation", "of", "who") if name not in self.get_exclude(request, obj)]
        shown = ["organisation", "kind", "conversations", "state_shown", "progress", "failure", "size", "sha256"]
        return [*shown, "rows", "created", "expires", "download"]

    @display(description="Size", ordering="bytes")
    def size(self, obj: Export) -> str:
        return filesizeformat(obj.bytes) if obj.bytes else ""

    @display(description="Rows")
    def rows(self, obj: Export) -> str:
        return ", ".join(f"{count} {name}" for name, count in obj.counts.items() if count)

    @display(description="Download")
    def download(self, obj: Export) -> str:
        if not obj.is_ready:
            return ""
        address = reverse("admin:privacy_export_content", args=(obj.pk,))
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">Download</a>', address)

    def get_urls(self) -> list[Any]:
        content = self.admin_site.admin_view(self.content_view)
        return [path("<path:object_id>/content/", content, name="privacy_export_content"), *super().get_urls()]

    def content_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        try:
            export = self.get_queryset(request).filter(pk=UUID(object_id)).first() if self._may_enter(request) else None
        except ValueError:
            export = None
        if export is None:
            raise Http404
        try:
            return export_answer(request, export)
        except RefdeskError as error:
            if error.code == "storage_unavailable":
                return error_page(request, error)
            raise Http404(error.message) from error

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        made = export_create(
            organisation=organisation.pk,
            role=role_in(request, organisation.pk),
            person=form.cleaned_data["who"] if form.cleaned_data["of"] == PERSON else "",
            requested_by=request_user(request).pk,
        )
        obj.pk = made.pk

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        export_delete(organisation=obj.organisation_id, export=obj)


@admin.register(Erasure)
class ErasureAdmin(RequestAdmin):
    """Erasures with their receipts. An erasure shows ids only, because its rows are gone."""

    when_empty = "An erasure removes a person or an organisation from every store, with a receipt of counts."
    add_words = "Erase for good"
    add_destroys = True
    form = PersonErasureForm
    list_display = ("created", "organisation", "kind", "subject", "state_shown", "progress", "finished")
    readonly_fields = ("state_shown", "progress", "failure", "receipt_shown")
    actions = ("retry",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            names = ("organisation", "confirm") if _is_of_organisation(request) else ("organisation", "who", "confirm")
            return [name for name in names if name not in self.get_exclude(request, obj)]
        return ["kind", "subject", "state_shown", "progress", "failure", "created", "finished", "receipt_shown"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form of one person, or at `?of=organisation` that of the whole organisation.

        Two forms, so that no empty field means everything.
        """
        if obj is None and _is_of_organisation(request):
            return super().get_form(request, obj, change, form=OrganisationErasureForm, **kwargs)
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None and "who" in form.base_fields:
            link = format_html(
                '<a class="text-primary-600 dark:text-primary-500" href="?of=organisation">{}</a>', OTHER
            )
            form.base_fields["who"].help_text = format_html("{} {}", form.base_fields["who"].help_text, link)
        return form

    @display(description="Receipt")
    def receipt_shown(self, obj: Erasure) -> str:
        if obj.receipt is None:
            return "comes with the end"
        address = reverse("admin:privacy_erasure_receipt", args=(obj.pk,))
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">To read and to print</a>', address
        )

    def get_urls(self) -> list[Any]:
        receipt = self.admin_site.admin_view(self.receipt_view)
        return [path("<path:object_id>/receipt/", receipt, name="privacy_erasure_receipt"), *super().get_urls()]

    def receipt_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Show a receipt as a page to read and print, or as the signed JSON."""
        try:
            erasure = (
                self.get_queryset(request).filter(pk=UUID(object_id)).first() if self._may_enter(request) else None
            )
        except ValueError:
            erasure = None
        if erasure is None or erasure.receipt is None:
            raise Http404
        if request.GET.get("format") == "json":
            named = {"Content-Disposition": f'attachment; filename="receipt-{erasure.pk}.json"'}
            return HttpResponse(receipt_text(erasure.receipt), content_type="application/json", headers=named)
        kind = ErasureKind(erasure.kind).label
        context = {"receipt": erasure.receipt, "kind": kind, "counts": receipt_counts(erasure.receipt)}
        return TemplateResponse(request, "privacy/receipt.html", context)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        role = role_in(request, organisation.pk)
        if isinstance(form, PersonErasureForm):
            made = person_erase(organisation=organisation.pk, person=form.cleaned_data["who"], role=role)
        else:
            confirm = form.cleaned_data["confirm"].strip()
            made = organisation_erase(organisation=organisation.pk, confirm=confirm, role=role)
        obj.pk = made.pk

    @action(description="Try the chosen ones that failed again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for erasure in queryset:
            erasure_retry(erasure=erasure)
        self.message_user(request, "Queued again.")


def _is_of_organisation(request: HttpRequest) -> bool:
    return request.GET.get("of") == "organisation"


@admin.register(RetentionRun)
class RetentionRunAdmin(ReadOnlyAdmin):
    when_empty = "What is too old is removed every night. How long conversations are kept is said in the settings."
    empty_value_display = "This box"
    list_display = ("night", "organisation", "removed")
    list_select_related = ("organisation",)
    list_filter = ("organisation",)
    ordering = ("-night", "-created")

    @display(description="Removed")
    def removed(self, obj: RetentionRun) -> str:
        words = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in obj.counts.items() if count)
        return words or "Nothing was too old"
