import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.key_hash import secret_hash
from app.accounts.models import Membership, OneTimeToken, Organisation, User
from app.accounts.services import user_create, user_deactivate
from app.audit.models import AuditEntry
from tests.people import PASSWORD

FORM = {"email": "maud@example.org", "name": "Maud", "password": PASSWORD}


def link_made(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("admin_link")
    return capsys.readouterr().out.strip().removeprefix(settings.PUBLIC_URL)


def test_the_link_makes_the_owner_of_the_first_organisation_who_runs_the_box(
    db: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    link = link_made(capsys)
    client = Client()
    page = client.get(link)
    assert (page.status_code, page["Cache-Control"].count("no-store")) == (200, 1)
    assert client.post(link, FORM).status_code == 302
    membership = Membership.objects.get()
    assert (membership.organisation.slug, membership.role) == ("default", Role.OWNER)
    assert (membership.user.email, membership.user.is_operator) == ("maud@example.org", True)
    assert client.get("/api/v1/me").json()["role"] == "owner"
    assert AuditEntry.objects.filter(action="user.create").exists()


def test_an_organisation_that_is_there_is_taken(db: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Organisation.objects.create(slug="default", name="Ours")
    Client().post(link_made(capsys), FORM)
    assert Membership.objects.get().organisation.name == "Ours"


def test_used_expired_replaced_empty_null_and_made_up_links_make_nobody(
    db: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced, expired = link_made(capsys), link_made(capsys)
    OneTimeToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    for link in (replaced, expired, "/setup/", "/setup/null", "/setup/None", "/setup/%00", "/setup/undefined"):
        response = Client().post(link, FORM)
        assert response.status_code in (404, 410), link
    assert not User.objects.exists()
    used = link_made(capsys)
    Client().post(used, FORM)
    response = Client().post(used, {**FORM, "email": "second@example.org"})
    assert response.status_code == 410
    assert User.objects.count() == 1


def test_the_hash_of_a_token_opens_nothing(db: Any, capsys: pytest.CaptureFixture[str]) -> None:
    token = link_made(capsys).rpartition("/")[2]
    row = OneTimeToken.objects.get()
    assert row.token_hash == secret_hash(token)
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_onetimetoken::text FROM accounts_onetimetoken")
        assert token not in str(cursor.fetchall())
    assert Client().post(f"/setup/{row.token_hash}", FORM).status_code == 410


def test_a_box_with_an_operator_makes_no_link_and_takes_none(db: Any, capsys: pytest.CaptureFixture[str]) -> None:
    link = link_made(capsys)
    operator = user_create(email="first@example.org", password=PASSWORD, is_operator=True)
    with pytest.raises(CommandError, match="has an operator"):
        call_command("admin_link")
    assert Client().get(link).status_code == 410
    assert Client().post(link, FORM).status_code == 410
    # An operator who cannot sign in does not count.
    user_deactivate(user=operator)
    assert Client().post(link, FORM).status_code == 302


@pytest.mark.parametrize(
    ("wrong", "status"), [({"password": "short"}, 422), ({"email": "maud"}, 422), ({"email": "dora@example.org"}, 409)]
)
def test_a_wrong_form_leaves_the_link_open(
    db: Any, capsys: pytest.CaptureFixture[str], wrong: dict[str, str], status: int
) -> None:
    dora = user_create(email="dora@example.org", password=PASSWORD)
    link = link_made(capsys)
    response = Client().post(link, {**FORM, **wrong})
    assert response.status_code == status
    assert b"Begin" in response.content
    dora.refresh_from_db()
    assert (dora.check_password(PASSWORD), dora.is_operator) == (True, False)
    assert Client().post(link, FORM).status_code == 302


def test_nobody_becomes_admin_by_signing_up(db: Any) -> None:
    for path in ("/setup", "/setup/", "/accounts/sign-up", "/accounts/register", "/admin/"):
        assert Client().post(path, {**FORM, "is_operator": "1"}).status_code in (302, 404)
    Client().post("/accounts/sign-in", FORM)
    assert not User.objects.exists()


def test_a_start_by_link_shows_a_link_and_no_password(
    db: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFDESK_SAMPLES", "0")
    call_command("first_start", "--admin-link")
    output = capsys.readouterr().out
    assert "password" not in output
    assert not User.objects.exists()
    link = output.split()[-1].removeprefix(settings.PUBLIC_URL)
    assert Client().post(link, FORM).status_code == 302
    call_command("first_start", "--admin-link")
    assert capsys.readouterr().out == ""


# Each of 4 processes opens the page 12 or 13 times at once, when a file appears.
CLAIMS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import django
django.setup()
from django.conf import settings
from django.db import connections
from django.test import Client
settings.ALLOWED_HOSTS, settings.DOOR_REQUESTS_PER_MINUTE = ["testserver"], 1000
link, process, count, go = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
def claim(number):
    try:
        form = {"email": f"claim{process}.{number}@example.org", "name": "x", "password": "a long password for tests"}
        return Client().post(link, form).status_code
    finally:
        connections.close_all()
print("ready", flush=True)
while not go.exists():
    time.sleep(0.005)
with ThreadPoolExecutor(count) as pool:
    print(*pool.map(claim, range(count)))
"""


@pytest.mark.django_db(transaction=True)
def test_of_fifty_claims_at_once_in_four_processes_one_wins(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    link, go = link_made(capsys), tmp_path / "go"
    at = connection.settings_dict
    options = urlencode({"host": at["HOST"], "port": at["PORT"]})
    address = f"postgresql://{quote(at['USER'])}:{quote(at['PASSWORD'])}@/{at['NAME']}?{options}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "app.settings", "REFDESK_DATABASE_URL": address}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMS, link, str(process), str(count), str(go)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for process, count in enumerate((13, 13, 12, 12))
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    go.touch()
    statuses = Counter(status for child in children for status in child.communicate(timeout=120)[0].split())
    assert statuses == {"302": 1, "410": 49}
    assert User.objects.filter(is_operator=True).count() == User.objects.count() == Membership.objects.count() == 1
