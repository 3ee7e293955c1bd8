from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format

from app.accounts.authentication import password_reset
from app.accounts.choices import Role
from app.accounts.invitation_mail import invitation_link, invitation_mail
from app.accounts.key_hash import secret_make
from app.accounts.models import Invitation, Membership, User
from app.accounts.password_reset import reset_link_hand_out
from app.accounts.selectors import invitation_state, invitations_with_works
from app.accounts.services import (
    invitation_create,
    invitation_withdraw,
    membership_create,
    membership_remove,
    membership_role_set,
    user_create,
    user_update,
)
from app.accounts.user_sessions import member_sign_out, user_session_list, user_sign_out
from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ScopedAdmin, action, admin_roles, display, is_operator, request_user, role_in
from app.errors import Conflict, Invalid

# Roles are memberships here; groups would be a second, unscoped vocabulary.
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(ScopedAdmin):
    """People of the organisations that the signed-in person administers, read-only for all but operators.

    An account can be in several organisations, so only operators change it.
    """

    may_add = may_change = True
    operator_only = frozenset({"add", "change"})
    list_display = ("email", "name", "is_active", "created")
    search_fields = ("email", "name")
    list_filter = ("is_active", "is_operator")
    actions = ("password_new",)
    actions_row = actions_detail = ("password_link", "password_new_this", "sign_out")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = User.objects.order_by("email")
        chosen = self.listed_only(request)
        if is_operator(request):
            # People without an organisation are listed when none is chosen.
            return rows.filter(memberships__organisation=chosen) if chosen is not None else rows
        members = Membership.objects.filter(organisation__in=[chosen.pk] if chosen else list(admin_roles(request)))
        return rows.filter(pk__in=members.values("user"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return ["email", "name", "is_operator"]
        names = ["email", "name", "is_active"]
        return [*names, "is_operator", "created", "last_login", "sessions"] if is_operator(request) else names

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "created", "last_login", "sessions"]

    @display(description="Open sessions")
    def sessions(self, obj: User) -> int:
        return user_session_list(user=obj.pk).count()

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        if not change:
            obj.new_password = secret_make()[:20]
            user = user_create(email=obj.email, name=obj.name, password=obj.new_password, is_operator=obj.is_operator)
            obj.pk = user.pk
            return
        is_self = request_user(request).pk == obj.pk
        if is_self and not (obj.is_active and obj.is_operator):
            raise Conflict(message="You cannot take your own way in.")
        user_update(user=obj.pk, values={name: getattr(obj, name) for name in form.changed_data})

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._password_page(request, obj, obj.new_password)

    def _password_page(self, request: HttpRequest, user: User, password: str) -> HttpResponse:
        text = f"Give this password to {user.email}. It can be changed after signing in."
        return self.secret_page(request, user, heading="New password", secret=password, words=text)

    @action(description="Make a new password for one person", permissions=["change"])
    def password_new(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        users = list(queryset[:2])
        if len(users) != 1:
            raise Invalid(message="Choose exactly one person.")
        return self._password_page(request, users[0], password_reset(user=users[0]))

    @object_action(
        description="Make a reset link",
        words="Whoever opens the link chooses this person's password, once, within an hour. It is shown once, on the "
        "next page; an earlier one stops working. The present password works until then.",
        icon="link",
        applies=lambda row: row.is_active,
    )
    def password_link(self, request: HttpRequest, obj: User) -> HttpResponse:
        text = f"Give this link to {obj.email} and to nobody else. It works once, for an hour."
        link = reset_link_hand_out(user=obj)
        return self.secret_page(request, obj, heading="Reset link", secret=link, words=text)

    @object_action(
        description="Make a new password",
        words="The present password stops working and every session ends. The new one is shown once, on the next page.",
        icon="password",
    )
    def password_new_this(self, request: HttpRequest, obj: User) -> HttpResponse:
        return self._password_page(request, obj, password_reset(user=obj))

    @object_action(
        description="Sign out everywhere",
        words="Every session of this person ends. They can sign in again.",
        icon="logout",
        danger=True,
    )
    def sign_out(self, request: HttpRequest, obj: User) -> str:
        return f"Sessions ended: {user_sign_out(user=obj.pk)}."


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    when_empty = "Nobody is a member yet. Invite people: they join by a link."
    when_deleted = "The person is no member any more. What they uploaded stays."
    may_add = may_change = may_delete = True
    operator_only = frozenset({"add"})  # others invite
    list_display = ("user", "name", "organisation", "role_shown", "state", "last_login", "created")
    list_select_related = ("user", "organisation")
    list_filter = ("organisation", "role")
    search_fields = ("user__email", "user__name")
    autocomplete_fields = ("user",)
    actions_row = actions_detail = ("sign_out",)

    def audited_as(self, obj: Any) -> str:
        return str(obj.user_id)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return ["organisation", "user", "role"]
        return ["user", "name", "organisation", "role", "state", "last_login", "sessions", "created"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = [*super().get_readonly_fields(request, obj), "name", "state", "last_login", "sessions", "created"]
        return [*fixed, *(["user"] if obj is not None else [])]

    @display(description="Name", ordering="user__name")
    def name(self, obj: Membership) -> str:
        return obj.user.name

    @display(description="Role", ordering="role", label={"Owner": "success", "Admin": "info"})
    def role_shown(self, obj: Membership) -> str:
        return obj.get_role_display()

    @display(description="State", label={"active": "success", "deactivated": "danger"})
    def state(self, obj: Membership) -> str:
        return "active" if obj.user.is_active else "deactivated"

    @display(description="Last sign-in", ordering="user__last_login")
    def last_login(self, obj: Membership) -> str | None:
        last = obj.user.last_login
        return date_format(last, "DATETIME_FORMAT") if last else None

    @display(description="Open sessions")
    def sessions(self, obj: Membership) -> int:
        return user_session_list(user=obj.user_id).count()

    @object_action(
        description="Sign out everywhere",
        words="Every session of this member ends, in other organisations too. They can sign in again: to keep them "
        "out, remove the member.",
        icon="logout",
        danger=True,
    )
    def sign_out(self, request: HttpRequest, obj: Membership) -> str:
        count = member_sign_out(
            organisation=obj.organisation_id, membership=obj.pk, actor_role=role_in(request, obj.organisation_id)
        )
        return f"Sessions ended: {count}."

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        if not change:
            row = membership_create(organisation=obj.organisation, user=obj.user, role=Role(obj.role))
            obj.pk = row.pk
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
            actor=request_user(request),
        )


@admin.register(Invitation)
class InvitationAdmin(ScopedAdmin):
    when_empty = "Invite somebody: you get a link to send, which works once."
    when_deleted = "Its link stops working."
    add_words = "Make a link"
    may_add = may_delete = True
    list_display = ("email", "organisation", "role", "state", "invited_by", "expires")
    list_select_related = ("organisation", "invited_by")
    list_filter = ("organisation", "role")
    search_fields = ("email",)
    ordering = ("-created",)
    actions_row = actions_detail = ("withdraw",)

    @object_action(
        description="Withdraw",
        words="The link stops working. You can invite the same address again.",
        icon="cancel_schedule_send",
        permission="delete",
        danger=True,
        applies=lambda row: row.accepted is None,
    )
    def withdraw(self, request: HttpRequest, obj: Invitation) -> str:
        self.object_delete(request, obj)
        return f"The invitation of {obj.email} is withdrawn."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        names = ["organisation", "email", "role"]
        if obj is not None:
            return [*names, "invited_by", "created", "expires", "accepted"]
        return [name for name in names if name not in self.get_exclude(request, obj)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        return invitations_with_works(super().get_queryset(request))

    @display(
        description="State",
        label={"open": "info", "accepted": "success", "expired": "warning", "no longer valid": "warning"},
    )
    def state(self, obj: Invitation) -> str:
        return invitation_state(obj).label.lower()

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        organisation = self.organisation_for(request, obj)
        row, obj.link_token = invitation_create(
            organisation=organisation,
            email=obj.email,
            role=Role(obj.role),
            invited_by=request_user(request),
            inviter_role=role_in(request, organisation.pk),
        )
        obj.pk = row.pk
        obj.mailed = invitation_mail(invitation=row)

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        if obj.accepted is not None:
            raise Conflict(message="This invitation is used: remove the member instead.")
        invitation_withdraw(organisation=obj.organisation_id, invitation=obj.pk)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        link = invitation_link(token=obj.link_token)
        delivery = (
            f"This link is on its way to {obj.email} by mail." if obj.mailed else f"Send this link to {obj.email}."
        )
        text = f"{delivery} It works once, for seven days."
        return self.secret_page(request, obj, heading="Invitation", secret=link, words=text)
