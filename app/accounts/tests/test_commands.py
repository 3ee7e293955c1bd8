from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from app.accounts.models import ApiKey, Organisation
from app.bots.models import Bot

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_key_is_printed_alone_and_acts_as_an_admin(acme: Organisation) -> None:
    key = printed("api_key_create", "--organisation", "acme", "--name", "demo")
    assert key.startswith("rk_")
    assert len(key.split()) == 1
    row = ApiKey.objects.get(organisation=acme)
    assert (row.name, row.role) == ("demo", "admin")


def test_an_organisation_comes_with_a_bot_and_without_limits() -> None:
    with pytest.raises(CommandError, match="plan"):
        printed("organisation_create", "beta", "--plan", "golden")
    assert printed("organisation_create", "beta", "--plan", "unlimited") == "beta\n"
    assert Bot.objects.get(organisation__slug="beta").slug == "default"
