from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.key_hash import secret_hash
from app.accounts.keys import api_key_create
from app.accounts.models import ApiKey, Invitation, Membership, Organisation, User
from app.accounts.selectors import invitation_by_token
from app.accounts.services import (
    invitation_accept,
    invitation_create,
    invitation_withdraw,
    membership_create,
    membership_remove,
    membership_role_set,
    organisation_create,
    user_create,
    user_deactivate,
)
from app.errors import RefdeskError
from app.lib.tenancy import scope_enter_everything
from tests.people import PASSWORD, Person


def error_code(call: Callable[[], Any]) -> str:
    with pytest.raises(RefdeskError) as caught:
        call()
    return caught.value.code


def invite(person: Person, email: str, role: Role = Role.VIEWER) -> tuple[Invitation, str]:
    return invitation_create(
        organisation=person.organisation, email=email, role=role, invited_by=person.user, inviter_role=person.role
    )


def membership_get(person: Person) -> Membership:
    return Membership.objects.get(organisation=person.organisation, user=person.user)


def test_an_invitation_makes_one_member_with_its_role(alice: Person) -> None:
    _, token = invite(alice, "Dora@example.org", Role.EDITOR)
    dora = invitation_accept(token=token, name="Dora", password=PASSWORD)
    assert dora.email == "dora@example.org"
    assert dora.memberships.get().role == Role.EDITOR
    assert error_code(lambda: invitation_accept(token=token, name="D", password=PASSWORD)) == "invitation_invalid"


def test_the_token_of_an_invitation_is_kept_as_a_hash_only(alice: Person) -> None:
    invitation, token = invite(alice, "dora@example.org")
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_invitation::text FROM accounts_invitation")
        assert token not in str(cursor.fetchall())
    assert invitation.token_hash == secret_hash(token)


def test_expired_withdrawn_replaced_and_made_up_invitations_open_nothing(alice: Person) -> None:
    expired, first = invite(alice, "dora@example.org")
    Invitation.objects.filter(pk=expired.pk).update(expires=timezone.now() - timedelta(seconds=1))
    withdrawn, second = invite(alice, "emil@example.org")
    invitation_withdraw(organisation=alice.organisation.pk, invitation=withdrawn.pk)
    _, third = invite(alice, "frida@example.org")
    invite(alice, "frida@example.org")
    for token in (first, second, third, "", "made-up", "\0"):
        assert invitation_by_token(token=token) is None
        assert (
            error_code(lambda token=token: invitation_accept(token=token, name="", password=PASSWORD))  # type: ignore[misc]
            == "invitation_invalid"
        )
    assert Membership.objects.count() == 1


def test_nobody_invites_above_their_own_role(alice: Person, bob: Person) -> None:
    for role, invited in ((Role.ADMIN, Role.OWNER), (Role.EDITOR, Role.VIEWER), (Role.VIEWER, Role.VIEWER)):
        bob.role = role
        assert error_code(lambda: invite(bob, "dora@example.org", invited)) == "not_allowed"  # noqa: B023
    bob.role = Role.ADMIN
    assert invite(bob, "dora@example.org", Role.ADMIN)[0].role == Role.ADMIN


def test_an_invitation_is_for_its_address_only(alice: Person, charlie: Person) -> None:
    _, token = invite(alice, "dora@example.org")
    accepted = lambda: invitation_accept(token=token, name="", password="", user=charlie.user)  # noqa: E731
    assert error_code(accepted) == "invitation_invalid"
    _, token = invite(alice, "charlie@example.org")
    assert error_code(lambda: invitation_accept(token=token, name="", password=PASSWORD)) == "conflict"
    invitation_accept(token=token, name="", password="", user=charlie.user)
    assert charlie.user.memberships.count() == 2


def test_an_invitation_lowers_nobody_s_role(alice: Person) -> None:
    _, token = invite(alice, "alice@example.org", Role.VIEWER)
    invitation_accept(token=token, name="", password="", user=alice.user)
    assert membership_get(alice).role == Role.OWNER


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_with_one_invitation_make_one_member(alice: Person) -> None:
    _, token = invite(alice, "dora@example.org")

    def accept(number: int) -> str:
        try:
            invitation_accept(token=token, name=str(number), password=PASSWORD)
        except RefdeskError as error:
            return error.code
        finally:
            connections.close_all()
        return "accepted"

    with ThreadPoolExecutor(20) as pool:
        outcomes = sorted(pool.map(accept, range(20)))
    assert outcomes == ["accepted"] + ["invitation_invalid"] * 19
    assert Membership.objects.filter(organisation=alice.organisation).count() == 2
    assert User.objects.filter(email="dora@example.org").count() == 1


def role_set(person: Person, role: Role, by: Role) -> Membership:
    return membership_role_set(
        organisation=person.organisation.pk, membership=membership_get(person).pk, role=role, actor_role=by
    )


def test_an_admin_moves_people_up_to_their_own_role(alice: Person, bob: Person) -> None:
    assert role_set(bob, Role.ADMIN, by=Role.ADMIN).role == Role.ADMIN
    assert error_code(lambda: role_set(bob, Role.OWNER, by=Role.ADMIN)) == "not_allowed"
    assert error_code(lambda: role_set(alice, Role.VIEWER, by=Role.ADMIN)) == "not_allowed"
    assert error_code(lambda: role_set(bob, Role.VIEWER, by=Role.EDITOR)) == "not_allowed"


def test_the_last_owner_stays(alice: Person, bob: Person) -> None:
    row = membership_get(alice)
    leave = lambda: membership_remove(  # noqa: E731
        organisation=alice.organisation.pk, membership=row.pk, actor_role=Role.OWNER, actor=alice.user
    )
    assert error_code(lambda: role_set(alice, Role.ADMIN, by=Role.OWNER)) == "last_owner"
    assert error_code(leave) == "last_owner"
    role_set(bob, Role.OWNER, by=Role.OWNER)
    user_deactivate(user=bob.user)
    assert error_code(leave) == "last_owner"  # an owner who cannot sign in does not count as an owner
    bob.user.is_active = True
    bob.user.save()
    leave()
    assert list(Membership.objects.values_list("user__email", "role")) == [("bob@example.org", "owner")]


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_demote_each_other_at_once_leave_one(alice: Person, bob: Person) -> None:
    membership_create(organisation=bob.organisation, user=bob.user, role=Role.OWNER)

    def demote(person: Person) -> str:
        scope_enter_everything()
        try:
            role_set(person, Role.VIEWER, by=Role.OWNER)
        except RefdeskError as error:
            return error.code
        finally:
            connections.close_all()
        return "demoted"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, (alice, bob))) == ["demoted", "last_owner"]


def test_anybody_may_leave_and_an_admin_may_remove(alice: Person, bob: Person) -> None:
    bobs, hers = membership_get(bob), membership_get(alice)
    organisation = alice.organisation.pk
    remove = lambda row, role, actor: membership_remove(  # noqa: E731
        organisation=organisation, membership=row.pk, actor_role=role, actor=actor
    )
    assert error_code(lambda: remove(hers, Role.ADMIN, bob.user)) == "not_allowed"
    assert error_code(lambda: remove(hers, Role.VIEWER, bob.user)) == "not_allowed"
    remove(bobs, Role.VIEWER, bob.user)
    assert not Membership.objects.filter(user=bob.user).exists()


def test_a_member_of_another_organisation_is_not_there(alice: Person, charlie: Person) -> None:
    theirs = membership_get(charlie)
    change = lambda: membership_role_set(  # noqa: E731
        organisation=alice.organisation.pk, membership=theirs.pk, role=Role.VIEWER, actor_role=Role.OWNER
    )
    assert error_code(change) == "not_found"


def test_links_do_not_outlive_the_right_to_make_them(alice: Person, bob: Person) -> None:
    membership_create(organisation=bob.organisation, user=bob.user, role=Role.ADMIN)
    bob.role = Role.ADMIN
    _, token = invite(bob, "dora@example.org", Role.ADMIN)
    role_set(bob, Role.EDITOR, by=Role.OWNER)
    assert invitation_by_token(token=token) is None


def test_links_of_a_maker_who_is_deactivated_erased_or_gone_open_nothing(alice: Person, bob: Person) -> None:
    ends: list[Callable[[], Any]] = [
        lambda: user_deactivate(user=bob.user),
        lambda: Membership.objects.filter(user=bob.user).delete(),
        lambda: Membership.objects.filter(user=bob.user).update(role=Role.ADMIN),
        lambda: Invitation.objects.update(invited_by=None),
    ]
    for end in ends:
        User.objects.filter(pk=bob.user.pk).update(is_active=True)
        membership_create(organisation=bob.organisation, user=bob.user, role=Role.OWNER)
        bob.role = Role.OWNER
        _, token = invite(bob, "dora@example.org", Role.OWNER)
        assert invitation_by_token(token=token) is not None
        end()
        assert invitation_by_token(token=token) is None
        assert (
            error_code(lambda t=token: invitation_accept(token=t, name="D", password=PASSWORD)) == "invitation_invalid"
        )
    assert not User.objects.filter(email="dora@example.org").exists()


def test_a_key_is_kept_as_a_hash_and_shows_its_beginning(alice: Person) -> None:
    row, key = api_key_create(organisation=alice.organisation, name=" program ", role=Role.VIEWER)
    assert (row.name, row.prefix, row.key_hash) == ("program", key[:9], secret_hash(key))
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_apikey::text FROM accounts_apikey")
        assert key not in str(cursor.fetchall())


def test_a_key_needs_a_name_a_future_and_a_role_of_its_maker(acme: Organisation) -> None:
    past = timezone.now() - timedelta(seconds=1)
    make = lambda **kwargs: api_key_create(**{"organisation": acme, "name": "x", **kwargs})  # noqa: E731
    assert error_code(lambda: make(name=" \0")) == "invalid_request"
    assert error_code(lambda: make(expires=past)) == "invalid_request"
    assert error_code(lambda: make(role=Role.OWNER, creator_role=Role.ADMIN)) == "not_allowed"
    assert error_code(lambda: make(role=Role.VIEWER, creator_role=Role.EDITOR)) == "not_allowed"
    assert ApiKey.objects.count() == 0


@pytest.mark.parametrize("password", ["short", "password123", "x" * 1001])
def test_weak_passwords_are_refused(db: Any, password: str) -> None:
    assert error_code(lambda: user_create(email="dora@example.org", password=password)) == "invalid_request"


@pytest.mark.parametrize("email", ["", "dora", "dora@", "do\0ra@example.org", "x" * 300 + "@example.org"])
def test_what_is_no_address_is_refused(db: Any, email: str) -> None:
    assert error_code(lambda: user_create(email=email, password=PASSWORD)) == "invalid_request"


def test_one_address_is_one_account(alice: Person) -> None:
    assert error_code(lambda: user_create(email="ALICE@example.org", password=PASSWORD)) == "conflict"


def test_an_organisation_has_a_slug_of_its_own(acme: Organisation) -> None:
    assert error_code(lambda: organisation_create(slug="acme")) == "conflict"
    assert error_code(lambda: organisation_create(slug="no slug!")) == "invalid_request"
