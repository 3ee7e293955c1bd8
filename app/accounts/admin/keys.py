"""API keys in Django admin: create, rotate, revoke; the key itself is shown once."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from app.accounts.choices import Role, Scope
from app.accounts.keys import api_key_create, api_key_revoke, api_key_rotate
from app.accounts.models import ApiKey
from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ScopedAdmin, action, display, is_operator, request_user, role_in
from app.errors import Invalid

STATES = {"valid": "success", "expiring": "warning", "replaced": "info", "revoked": "danger", "expired": "danger"}
OVERLAPS = (("0", "At once"), ("1", "In a day"), ("7", "In a week"), ("30", "In 30 days"))


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Tick what the program needs and nothing else: a website asks bots, an upload writes documents.",
    )

    class Meta:
        model = ApiKey
        fields = ("organisation", "name", "role", "scopes", "plan", "expires")
        help_texts = {
            "name": "What uses it, for example “Website” or “Nightly upload”.",
            "role": "A key can do nothing that its role may not.",
            "plan": "Limits of this key alone. Empty: those of the organisation.",
            "expires": "Empty: the key works until it is revoked.",
        }


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedAdmin):
    add_words = "Make the key"
    may_add = True
    when_empty = "A key lets a program ask and upload as your organisation. Make one for each program."
    form = ApiKeyForm
    list_display = ("name", "organisation", "prefix", "role", "state", "last_used", "expires")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "role")
    search_fields = ("name", "prefix")
    ordering = ("-created",)
    actions = ("revoke",)
    actions_row = actions_detail = ("rotate", "revoke_this")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return the least: what a program may do is decided for each key, not left as it was."""
        return {**super().get_changeform_initial_data(request), "role": Role.VIEWER.value, "scopes": []}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is not None:
            fixed = ["prefix", "state", "created_by", "created", "last_used", "revoked", "replaced_by"]
            return ["organisation", "name", "role", "scopes_shown", "plan", "expires", *fixed]
        names = ["organisation", "name", "role", "scopes", *(["plan"] if is_operator(request) else []), "expires"]
        return [name for name in names if name not in self.get_exclude(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "scopes_shown", "state", "replaced_by"]

    @display(description="State", label=STATES)
    def state(self, obj: ApiKey) -> str:
        return "replaced" if obj.is_valid and obj.replaced_by_id is not None else obj.state

    @display(description="Scopes")
    def scopes_shown(self, obj: ApiKey) -> str:
        return "; ".join(Scope(name).label for name in obj.scopes if name in Scope.values)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        row, obj.new_key = api_key_create(
            organisation=organisation,
            name=obj.name,
            role=Role(obj.role),
            scopes=[Scope(name) for name in obj.scopes],
            plan=obj.plan_id if is_operator(request) else None,
            created_by=request_user(request),
            creator_role=role_in(request, organisation.pk),
            expires=obj.expires,
        )
        obj.pk, obj.prefix = row.pk, row.prefix

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._show_once(request, obj, obj.new_key)

    def _show_once(self, request: HttpRequest, row: ApiKey, key: str) -> HttpResponse:
        text = f"The key “{row.name}”. Send it as Authorization: Bearer, and keep it like a password."
        return self.secret_page(request, row, heading="API key", secret=key, words=text)

    def _revoke(self, request: HttpRequest, key: ApiKey) -> None:
        actor_role = role_in(request, key.organisation_id)
        api_key_revoke(organisation=key.organisation_id, api_key=key.pk, actor_role=actor_role)

    @action(description="Revoke the chosen keys for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        keys = list(queryset)
        for key in keys:
            if not role_in(request, key.organisation_id).covers(Role(key.role)):
                raise Invalid(message=f"The key {key.name} has a role above yours.")
        for key in keys:
            self._revoke(request, key)
        self.message_user(request, f"Revoked: {len(keys)}. Programs that use them are refused within two seconds.")

    @object_action(
        description="Rotate",
        words="A new key takes its place, with the same role, scopes and limits. It is shown once, on the next page.",
        icon="autorenew",
        permission="use",
        applies=lambda row: row.is_valid and row.replaced_by_id is None,
        choices=("overlap", "The old key stops working", OVERLAPS),
    )
    def rotate(self, request: HttpRequest, obj: ApiKey) -> HttpResponse:
        overlap = request.POST.get("overlap", "")
        if overlap not in dict(OVERLAPS):
            raise Invalid(message="Choose when the old key stops working.")
        row, key = api_key_rotate(
            organisation=obj.organisation_id,
            api_key=obj.pk,
            overlap_days=int(overlap),
            actor=request_user(request),
            actor_role=role_in(request, obj.organisation_id),
        )
        return self._show_once(request, row, key)

    @object_action(
        description="Revoke",
        words="Programs that use this key are refused within two seconds, for good. Make or rotate a key first if they "
        "are to go on.",
        icon="block",
        permission="use",
        danger=True,
        applies=lambda row: row.revoked is None,
    )
    def revoke_this(self, request: HttpRequest, obj: ApiKey) -> str:
        self._revoke(request, obj)
        return f"The key {obj.name} is revoked."

    def has_use_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_view_permission(request, obj))
