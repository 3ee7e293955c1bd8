"""Django admin for sign-in by OIDC: the rules that make members, and the people known to the provider."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Identity, Membership
from app.admin_site.tenant_admin import ReadOnlyAdmin, ScopedAdmin, admin_roles, is_operator, role_in
from app.audit.content import text
from app.oidc.claim_rules import claim_rule_delete, claim_rule_save
from app.oidc.identities import identity_delete
from app.oidc.unmatched_claims import claims_unmatched_latest

_HELP = {
    "claim": "The name of a claim about a person, or a path of names with dots, such as realm_access.roles.",
    "value": "The claim itself, or one entry of its list, letter by letter; a slash at its beginning does not count.",
    "role": "Given at each sign-in with this claim, taken back at the first without it.",
}


def _claims_help() -> str:
    """Return what came with the latest sign-in that fitted no rule, for whoever writes one."""
    claims = claims_unmatched_latest()
    if not claims:
        return ""
    shown = "; ".join(f"{claim} = {', '.join(map(str, values))}" for claim, values in claims.items())
    return f" The latest sign-in that fitted no rule came with: {text(shown, 1000)}."


@admin.register(ClaimRule)
class ClaimRuleAdmin(ScopedAdmin):
    when_empty = "A rule makes people members when they sign in by the provider with a claim such as groups."
    when_deleted = "Its members lose their membership with their next sign-in."
    may_add = may_change = may_delete = True
    # A rule for a claim that everybody at the provider has would make the people of other organisations members.
    operator_only = frozenset({"add", "change"})
    list_display = ("claim", "value", "role", "organisation")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "role")
    search_fields = ("claim", "value")
    ordering = ("claim", "value")
    fields = ("organisation", "claim", "value", "role")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in _HELP:
            kwargs["help_text"] = _HELP[db_field.name]
        if db_field.name == "value" and is_operator(request):
            kwargs["help_text"] += _claims_help()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        rule = claim_rule_save(
            organisation=organisation.pk,
            claim_rule=obj.pk if change else None,
            claim=obj.claim,
            value=obj.value,
            role=Role(obj.role),
            actor_role=role_in(request, organisation.pk),
        )
        obj.pk, obj.organisation_id = rule.pk, rule.organisation_id

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        actor_role = role_in(request, obj.organisation_id)
        claim_rule_delete(organisation=obj.organisation_id, claim_rule=obj.pk, actor_role=actor_role)


@admin.register(Identity)
class IdentityAdmin(ReadOnlyAdmin):
    """Members' identities, read-only. An account can be in several organisations, so only operators delete an identity;
    its person can then be linked again."""

    when_empty = "Nobody has signed in by the sign-in provider yet, or none is set up (docs: sign-in)."
    when_deleted = "The person is linked anew at the next sign-in."
    may_delete = True
    operator_only = frozenset({"delete"})
    list_display = ("user", "subject", "issuer", "last_used")
    list_select_related = ("user",)
    search_fields = ("user__email", "subject")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = Identity.objects.order_by("user__email")
        if is_operator(request):
            return rows
        members = Membership.objects.filter(organisation__in=list(admin_roles(request)))
        return rows.filter(user__in=members.values("user"))

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        identity_delete(identity=obj)
