"""Scope of the admin pages: an operator sees and changes everything, an owner or admin their organisations' rows.

Every page of Django admin derives from `ScopedAdmin`. Rows outside the scope do not exist for its lists, counts,
searches, filters, drop-downs, detail pages and actions, because all of them read from `get_queryset`.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline

from app.accounts.choices import Role
from app.accounts.models import Organisation
from app.admin_site.decorators import action, display
from app.admin_site.organisation_switcher import organisation_chosen
from app.admin_site.roles import admin_roles, is_operator, request_user, role_in
from app.errors import RefdeskError

# Admin modules import all of this from here.
__all__ = [
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "ScopedAdmin",
    "action",
    "admin_roles",
    "display",
    "is_operator",
    "request_user",
    "role_in",
]

LOOKUPS = frozenset({"id", "pk", "name", "exact", "in", "isnull", "gte", "lt"})


def _filter_name(entry: Any) -> str:
    """Return the parameter of a filter in addresses: an entry of `list_filter` is a column, a pair, or a class."""
    if isinstance(entry, str):
        return entry
    name: str = entry[0] if isinstance(entry, tuple) else entry.parameter_name
    return name


class ScopedAdmin(ModelAdmin):  # type: ignore[misc]
    """A table's pages in Django admin, limited to what the class switches on.

    Attributes:
        organisation_path: lookup from a row to its organisation.
        least_role: the least role that opens the page; operators always may.
        box_only: whether the rows are the box's own, which only operators see.
        may_add, may_change, may_delete: the pages that exist; `operator_only` limits them to operators.
        when_empty: the text of an empty list, with what to do.
        when_deleted: the consequence of a deletion, for its confirmation.
        add_words: the label of the button that creates a row, where it is not just "Save".
        add_destroys: whether creating a row erases data permanently.
    """

    organisation_path: ClassVar[str] = "organisation"
    least_role: ClassVar[Role] = Role.ADMIN
    box_only: ClassVar[bool] = False
    may_add: ClassVar[bool] = False
    may_change: ClassVar[bool] = False
    may_delete: ClassVar[bool] = False
    operator_only: ClassVar[frozenset[str]] = frozenset()
    when_empty: ClassVar[str] = ""
    when_deleted: ClassVar[str] = ""
    add_words: ClassVar[str] = ""
    add_destroys: ClassVar[bool] = False
    list_per_page = 50
    # A second count over the whole table adds nothing.
    show_full_result_count = False
    list_filter_submit = False
    compressed_fields = True

    # Permissions

    def _may_enter(self, request: HttpRequest) -> bool:
        if self.box_only:
            return is_operator(request)
        return is_operator(request) or bool(admin_roles(request, least=self.least_role))

    def _may_reach(self, request: HttpRequest, obj: Any) -> bool:
        """Return whether a row is inside the scope, as a second check: no page should have found another row."""
        if not self._may_enter(request):
            return False
        if obj is None or is_operator(request):
            return True
        # Unfold passes an id where Django passes a row; a page checks the same row ten times.
        key = (self.model, str(obj.pk if isinstance(obj, Model) else obj))
        results: dict[Any, bool] = request.__dict__.setdefault("_admin_reach", {})
        if key not in results:
            try:
                results[key] = bool(self.get_queryset(request).filter(pk=key[1]).exists())
            except (ValidationError, ValueError):  # the address contains no id
                results[key] = False
        return results[key]

    def _may(self, request: HttpRequest, operation: str, switched_on: bool, obj: Any) -> bool:
        if not switched_on or (operation in self.operator_only and not is_operator(request)):
            return False
        return self._may_reach(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may_enter(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_reach(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "add", self.may_add, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change", self.may_change, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "delete", self.may_delete, obj)

    # Rows

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if self.box_only:
            return rows if is_operator(request) else rows.none()
        chosen = self.listed_only(request)
        if chosen is not None:
            rows = rows.filter(**{self.organisation_path: chosen.pk})
        if is_operator(request):
            return rows
        return rows.filter(**{f"{self.organisation_path}__in": list(admin_roles(request, least=self.least_role))})

    def listed_only(self, request: HttpRequest) -> Organisation | None:
        """Return the organisation that a list is limited to.

        Rows of the person's other organisations stay reachable.
        """
        return organisation_chosen(request) if request.__dict__.get("_admin_lists") else None

    def _choices(self, request: HttpRequest, field: Any) -> QuerySet[Any]:
        """Return the rows that a drop-down may offer: those of the other table's own page."""
        model = field.related_model
        if self.admin_site.is_registered(model):
            rows: QuerySet[Any] = self.admin_site.get_model_admin(model).get_queryset(request)
            return rows
        if not is_operator(request):
            return model._default_manager.none()  # type: ignore[no-any-return]
        return model._default_manager.all()  # type: ignore[no-any-return]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = self._choices(request, db_field)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = self._choices(request, db_field)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role" and not is_operator(request):
            roles = admin_roles(request).values()
            kwargs["choices"] = [(role.value, role.label) for role in Role if any(own.covers(role) for own in roles)]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        filters: list[Any] = []
        for entry in super().get_list_filter(request):
            # Django's plain filter over a relation lists the whole other table, names included.
            relation = isinstance(entry, str) and isinstance(_field(self.model, entry), ForeignKey)
            if entry == "organisation" and organisation_chosen(request) is not None:
                continue
            filters.append((entry, admin.RelatedOnlyFieldListFilter) if relation else entry)
        return filters

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = super().get_list_display(request)
        if organisation_chosen(request) is None:
            return list(columns)
        return [column for column in columns if column != "organisation"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        # Django's addresses can filter by any column of the table, even by parts of a hash. Only columns of our filters
        # are accepted.
        names = [_filter_name(entry) for entry in self.list_filter]
        name, *rest = lookup.split("__")
        return name in names and len(rest) <= 2 and set(rest) <= LOOKUPS

    # Adding and changing

    def organisation_for(self, request: HttpRequest, obj: Any) -> Organisation:
        """Return the organisation of a new row: the chosen one, or the person's only one."""
        if getattr(obj, "organisation_id", None):
            organisation: Organisation = obj.organisation
        else:
            organisation = Organisation.objects.get(pk=next(iter(admin_roles(request, least=self.least_role))))
        role_in(request, organisation.pk)
        return organisation

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions that apply to the row: a paused bot can only be resumed."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        row_actions = [item for item in offered if hasattr(item.method, "question")]
        row = self.get_object(request, unquote(str(object_id))) if row_actions else None
        return [item for item in offered if item not in row_actions or (row and item.method.question.applies(row))]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        chosen = organisation_chosen(request)
        return {**({"organisation": chosen.pk} if chosen is not None else {}), **initial}

    def audited_as(self, obj: Any) -> str:
        """Return the id of a row in the audit trail; empty: the trail does not record such rows."""
        return str(obj.pk) if self.may_add or self.may_change or self.may_delete else ""

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        page_context = {
            "audited_as": self.audited_as(obj) if obj is not None else "",
            "show_save_and_add_another": False,
            # A new row opens its own next page after saving: its secret, its progress or its list.
            "show_save_and_continue": obj is not None,
            "add_words": self.add_words,
            "add_variant": "danger" if self.add_destroys else "primary",
            **({"show_save": False} if self.add_words and obj is None else {}),
            **context,
        }
        response: HttpResponse = super().render_change_form(request, page_context, **kwargs)
        return response

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        excluded = list(super().get_exclude(request, obj) or [])
        if obj is None and not is_operator(request) and len(admin_roles(request, least=self.least_role)) == 1:
            excluded.append("organisation")
        return excluded

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        excluded = self.get_exclude(request, obj)
        return [name for name in super().get_fields(request, obj) if name not in excluded]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        fixed = list(super().get_readonly_fields(request, obj))
        if obj is not None and hasattr(obj, "organisation_id"):
            fixed.append("organisation")
        return fixed

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        """Store the form's values with the services. May raise RefdeskError; sets `obj` to the stored row.

        There is no default: Django's own save would leave no entry in the audit trail.
        """
        raise NotImplementedError

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        """Remove a row with the services. May raise RefdeskError."""
        raise NotImplementedError

    def _pressed(self, request: HttpRequest, obj: Any) -> list[Any]:
        """Return the buttons that were pressed instead of Save."""
        return [item for item in self.get_actions_submit_line(request, obj.pk) if item.action_name in request.POST]

    def save_model(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        pressed = self._pressed(request, obj)
        if not pressed:
            self.object_save(request, obj, form, change)
        for button in pressed:
            button.method(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if self._pressed(request, obj):
            return HttpResponseRedirect(request.get_full_path())
        response: HttpResponse = super().response_change(request, obj)
        return response

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return the rows that a confirmation names: Django would read all dependent rows, including passages."""
        rows = list(objs)
        return [str(row) for row in rows], {str(self.model._meta.verbose_name_plural): len(rows)}, set(), []

    # Django's own log keeps names of rows and people after their erasure; the audit trail records the change instead,
    # and its details can be erased.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        return

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        return

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        return

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.object_delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.object_delete(request, obj)

    # Django admin handles only the errors of its forms: our errors return to the page as a message.

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._or_message(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        context = {**(extra_context or {}), "when_deleted": self.when_deleted}
        return self._or_message(request, super().delete_view, object_id, extra_context=context)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        request.__dict__["_admin_lists"] = True
        return self._or_message(request, super().changelist_view, *args, **kwargs)

    def _or_message(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except RefdeskError as error:
            messages.error(request, f"{error.message} {error.hint}")
            return HttpResponseRedirect(request.get_full_path())

    def secret_page(self, request: HttpRequest, obj: Any, *, heading: str, secret: str, words: str) -> HttpResponse:
        """Return the page with a secret that is shown once. Not as a message: those are stored in the session's row."""
        context = {
            **self.admin_site.each_context(request),
            "title": heading,
            "back": reverse(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_changelist"),
            "secret": secret,
            "words": words,
        }
        return TemplateResponse(request, "admin/accounts/secret.html", context)


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    """Rows on another row's page, within that row's scope."""

    can_delete = False
    extra = 0
    show_change_link = False
    hide_title = True  # ids
    tab = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ScopedAdmin):
    """A read-only table: every column fixed, no page that changes a row."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        fixed = [*super().get_readonly_fields(request, obj), *(field.name for field in self.model._meta.fields)]
        return list(dict.fromkeys(fixed))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        return list(dict.fromkeys(super().get_fields(request, obj)))


def _field(model: type[Model], name: str) -> "Field[Any, Any] | None":
    return next((field for field in model._meta.fields if field.name == name), None)
