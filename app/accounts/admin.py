from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from app.accounts import admin_audit as admin_audit
from app.accounts import admin_oidc as admin_oidc
from app.accounts.admin_scope import ScopedAdmin, action, display, is_operator, person_of, role_in, roles_of
from app.accounts.choices import Role
from app.accounts.keys import api_key_create, api_key_revoke
from app.accounts.models import ApiKey, Invitation, Membership, Organisation, User
from app.accounts.secrets import secret_make
from app.accounts.services import (
    invitation_create,
    invitation_withdraw,
    membership_create,
    membership_remove,
    membership_role_set,
    organisation_create,
    organisation_update,
    user_create,
    user_update,
)
from app.accounts.sessions import password_reset
from app.errors import Conflict, Invalid

# Roles are memberships here; groups would be a second, unscoped vocabulary.
admin.site.unregister(Group)


@admin.register(Organisation)
class OrganisationAdmin(ScopedAdmin):
    organisation_path = "pk"
    may_add = may_change = True
    operator_only = frozenset({"add"})
    list_display = ("name", "slug", "created")
    search_fields = ("name", "slug")
    fields = ("name", "slug", "chunk_tokens", "chunk_overlap")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Keys, scripts and addresses name the slug.
        return [*super().get_readonly_fields(request, obj), *(["slug"] if obj is not None else [])]

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        with transaction.atomic():
            if not change:
                obj.pk = organisation_create(slug=obj.slug, name=obj.name).pk
            changed = [name for name in form.changed_data if change or name not in ("slug", "name")]
            organisation_update(organisation=obj.pk, values={name: getattr(obj, name) for name in changed})


@admin.register(User)
class UserAdmin(ScopedAdmin):
    """People of the person's organisations, to look at. An account can be in several: only operators change it."""

    may_add = may_change = True
    operator_only = frozenset({"add", "change"})
    list_display = ("email", "name", "is_active", "created")
    search_fields = ("email", "name")
    actions = ("password_new",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = User.objects.order_by("email")
        if is_operator(request):
            return rows
        members = Membership.objects.filter(organisation__in=list(roles_of(request)))
        return rows.filter(pk__in=members.values("user"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return ["email", "name", "is_operator"]
        own = ["email", "name", "is_active"]
        return [*own, "is_operator", "created", "last_login"] if is_operator(request) else own

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "created", "last_login"]

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        if not change:
            obj.new_password = secret_make()[:20]
            made = user_create(email=obj.email, name=obj.name, password=obj.new_password, is_operator=obj.is_operator)
            obj.pk = made.pk
            return
        own = person_of(request).pk == obj.pk
        if own and not (obj.is_active and obj.is_operator):
            raise Conflict(message="You cannot take your own way in.")
        user_update(user=obj.pk, values={name: getattr(obj, name) for name in form.changed_data})

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._password_page(request, obj, obj.new_password)

    def _password_page(self, request: HttpRequest, user: User, password: str) -> HttpResponse:
        words = f"Give this password to {user.email}. It can be changed after signing in."
        return self.secret_page(request, user, heading="New password", secret=password, words=words)

    @action(description="Make a new password for one person", permissions=["change"])
    def password_new(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        people = list(queryset[:2])
        if len(people) != 1:
            raise Invalid(message="Choose exactly one person.")
        return self._password_page(request, people[0], password_reset(user=people[0]))


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    may_add = may_change = may_delete = True
    operator_only = frozenset({"add"})  # others invite
    list_display = ("user", "organisation", "role", "created")
    list_select_related = ("user", "organisation")
    list_filter = ("organisation", "role")
    search_fields = ("user__email", "user__name")
    autocomplete_fields = ("user",)
    fields = ("organisation", "user", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), *(["user"] if obj is not None else [])]

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        if not change:
            made = membership_create(organisation=obj.organisation, user=obj.user, role=Role(obj.role))
            obj.pk = made.pk
            return
        membership_role_set(
            organisation=obj.organisation_id,
            membership=obj.pk,
            role=Role(obj.role),
            actor_role=role_in(request, obj.organisation_id),
        )

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        membership_remove(
            organisation=obj.organisation_id,
            membership=obj.pk,
            actor_role=role_in(request, obj.organisation_id),
            actor=person_of(request),
        )


@admin.register(Invitation)
class InvitationAdmin(ScopedAdmin):
    may_add = may_delete = True
    list_display = ("email", "organisation", "role", "state", "invited_by", "expires")
    list_select_related = ("organisation", "invited_by")
    list_filter = ("organisation", "role")
    search_fields = ("email",)
    ordering = ("-created",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        shown = ["organisation", "email", "role"]
        if obj is not None:
            return [*shown, "invited_by", "created", "expires", "accepted"]
        return [name for name in shown if name not in self.get_exclude(request, obj)]

    @display(description="State", label={"open": "info", "accepted": "success", "expired": "warning"})
    def state(self, obj: Invitation) -> str:
        return "accepted" if obj.accepted else "open" if obj.is_open else "expired"

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        made, obj.link_token = invitation_create(
            organisation=organisation,
            email=obj.email,
            role=Role(obj.role),
            invited_by=person_of(request),
            inviter_role=role_in(request, organisation.pk),
        )
        obj.pk = made.pk

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        if obj.accepted is not None:
            raise Conflict(message="This invitation is used: remove the membership instead.")
        invitation_withdraw(organisation=obj.organisation_id, invitation=obj.pk)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        link = settings.PUBLIC_URL + reverse("accept_invitation", kwargs={"token": obj.link_token})
        words = f"Send this link to {obj.email}. It works once, for seven days."
        return self.secret_page(request, obj, heading="Invitation", secret=link, words=words)


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedAdmin):
    may_add = True
    list_display = ("name", "organisation", "prefix", "role", "state", "last_used", "expires")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "role")
    search_fields = ("name", "prefix")
    ordering = ("-created",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        shown = ["organisation", "name", "role", "expires"]
        if obj is not None:
            return [*shown, "prefix", "created_by", "created", "last_used", "revoked"]
        return [name for name in shown if name not in self.get_exclude(request, obj)]

    @display(description="State", label={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, obj: ApiKey) -> str:
        return obj.state

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        made, obj.new_key = api_key_create(
            organisation=organisation,
            name=obj.name,
            role=Role(obj.role),
            created_by=person_of(request),
            creator_role=role_in(request, organisation.pk),
            expires=obj.expires,
        )
        obj.pk, obj.prefix = made.pk, made.prefix

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        words = f"The key “{obj.name}”. Send it as Authorization: Bearer, and keep it like a password."
        return self.secret_page(request, obj, heading="API key", secret=obj.new_key, words=words)

    @action(description="Revoke the chosen keys for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        keys = list(queryset)
        for key in keys:
            if not role_in(request, key.organisation_id).covers(Role(key.role)):
                raise Invalid(message=f"The key {key.name} has a role above yours.")
        for key in keys:
            api_key_revoke(organisation=key.organisation_id, api_key=key.pk)
        self.message_user(request, f"Revoked: {len(keys)}. Programs that use them are refused within two seconds.")
