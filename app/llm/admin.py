from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from app.accounts.models import Organisation
from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ScopedAdmin, display, is_operator
from app.llm.forms import EndpointForm
from app.llm.models import ModelEndpoint
from app.llm.selectors import api_key_is_set
from app.llm.services import endpoint_create, endpoint_delete, endpoint_trial_record, endpoint_update
from app.llm.trial import endpoint_open, endpoint_try


@admin.register(ModelEndpoint)
class ModelEndpointAdmin(ScopedAdmin):
    """Admin pages of model servers: an organisation's admins manage its own, operators also the deployment's."""

    may_add = may_change = may_delete = True
    when_empty = "Questions go to the deployment's model server. Add one to let your own answer them."
    when_deleted = "Its key goes with it. Questions go to the deployment's server then."
    form = EndpointForm
    list_display = ("name", "owner", "kind", "url", "key", "is_default", "state")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "kind")
    search_fields = ("name", "url")
    ordering = ("name", "pk")
    actions_row = actions_detail = ("test",)

    def listed_only(self, request: HttpRequest) -> Organisation | None:
        # The deployment's servers belong to no organisation that an operator could choose.
        return None if is_operator(request) else super().listed_only(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        excluded = self.get_exclude(request, obj)
        shown = ["organisation", "name", "kind", "url", "api_key", "default_model", "served_models", "is_default"]
        if obj is not None and obj.from_environment:
            shown = ["name", "kind", "url", "key"]
        return [name for name in [*shown, *(["state"] if obj is not None else [])] if name not in excluded]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "state", "key"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_kept_here(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_kept_here(obj) and super().has_delete_permission(request, obj)

    def _is_kept_here(self, obj: Any) -> bool:
        return not (isinstance(obj, ModelEndpoint) and obj.from_environment)

    @display(description="Organisation", ordering="organisation__name")
    def owner(self, obj: ModelEndpoint) -> str:
        return "The deployment" if obj.organisation is None else obj.organisation.name

    @display(description="API key")
    def key(self, obj: ModelEndpoint) -> str:
        return "set" if api_key_is_set(obj) else "not set"

    @display(description="Last test", label={"answers": "success", "fails": "danger", "not tested": "info"})
    def state(self, obj: ModelEndpoint) -> str:
        return "not tested" if obj.healthy is None else "answers" if obj.healthy else "fails"

    @object_action(
        description="Test",
        words="The server is asked for one token. What comes back, or why nothing does, is shown.",
        icon="network_check",
        permission="view",
    )
    def test(self, request: HttpRequest, obj: ModelEndpoint) -> str:
        trial = endpoint_try(organisation=obj.organisation_id, endpoint=endpoint_open(obj))
        endpoint_trial_record(organisation=obj.organisation_id, endpoint=obj.pk, healthy=trial.ok, learnt=trial.learnt)
        if trial.error is not None:
            raise trial.error
        return f"{obj.name} answers “{(trial.text or '').strip()}” after {trial.took_s:.1f} s ({trial.model})."

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        assert isinstance(form, EndpointForm)
        if change:
            saved = endpoint_update(organisation=obj.organisation_id, endpoint=obj.pk, changes=form.changes())
        else:
            shared = is_operator(request) and obj.organisation_id is None
            owner = None if shared else self.organisation_for(request, obj).pk
            changes = form.changes()
            # The form's checkbox is not ticked by default, but an organisation's first server answers by default.
            saved = endpoint_create(organisation=owner, **{**changes, "is_default": changes["is_default"] or None})
        obj.pk, obj.organisation_id = saved.pk, saved.organisation_id

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        endpoint_delete(organisation=obj.organisation_id, endpoint=obj.pk)
