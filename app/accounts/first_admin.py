"""The first admin of a box: created by a link that only the box's command line or log shows."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from app.accounts.choices import Role, TokenPurpose
from app.accounts.models import Organisation, User
from app.accounts.one_time_tokens import token_find, token_make, token_take
from app.accounts.services import membership_create, organisation_create, user_create
from app.errors import Conflict, RefdeskError

LIFETIME = timedelta(hours=24)
SLUG = "default"


def operator_exists() -> bool:
    """Return whether the box has an active operator. A deactivated one does not count: a new first admin may follow."""
    return User.objects.filter(is_operator=True, is_active=True).exists()


def first_admin_link() -> str:
    """Create a link for the first admin, valid for a day; earlier ones end. Raises Conflict if an operator exists."""
    if operator_exists():
        raise Conflict(
            message="This box has an operator already. A forgotten password: manage.py password_reset EMAIL --link"
        )
    token = token_make(purpose=TokenPurpose.FIRST_ADMIN, lifetime=LIFETIME)
    return settings.PUBLIC_URL + reverse("first_admin", kwargs={"token": token})


def first_admin_token_is_open(*, token: str) -> bool:
    return not operator_exists() and token_find(purpose=TokenPurpose.FIRST_ADMIN, token=token) is not None


@transaction.atomic
def first_admin_create(*, token: str, email: str, name: str, password: str) -> User:
    """Create the owner of the organisation `default`, an operator too. One of many simultaneous calls succeeds.

    Raises:
        RefdeskError: link_invalid, also when there is an operator.
        Conflict: an account with the address exists.
        Invalid: the address or the password cannot be used.
    """
    token_take(purpose=TokenPurpose.FIRST_ADMIN, token=token)
    organisation = Organisation.objects.select_for_update().filter(slug=SLUG).first()
    if organisation is None:
        organisation = organisation_create(slug=SLUG, name="My organisation")
    # Checked after taking the lock: a link that was replaced a moment ago must not create a second one.
    if operator_exists():
        raise RefdeskError("link_invalid")
    user = user_create(email=email, password=password, name=name, is_operator=True)
    membership_create(organisation=organisation, user=user, role=Role.OWNER)
    return user
