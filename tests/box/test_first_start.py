from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from app.accounts.models import Membership, Organisation, User
from app.bots.models import Bot
from app.jobs.models import Job
from app.library.models import Document, Source

pytestmark = pytest.mark.django_db(transaction=True)


def start(capsys: Any) -> str:
    call_command("first_start")
    return str(capsys.readouterr().out)


def password_of(shown: str) -> str:
    [line] = [line for line in shown.splitlines() if "password" in line]
    return line.strip("| ").split()[-1]


def test_a_new_box_gets_an_owner_a_bot_and_the_samples(capsys: Any) -> None:
    shown = start(capsys)
    organisation = Organisation.objects.get()
    assert organisation.slug == "default"
    membership = Membership.objects.get()
    assert (membership.role, membership.user.is_operator) == ("owner", True)
    assert authenticate(username=membership.user.email, password=password_of(shown)) == membership.user
    bot = Bot.objects.get()
    assert bot.slug == "default"
    assert "How many days of parental leave does the second parent get?" in bot.live_revision.parsed.starters  # type: ignore[union-attr]
    assert Source.objects.get().name == "Uploads"
    names = set(Document.objects.values_list("name", flat=True))
    assert {"employee-handbook.docx", "travel-policy.pdf", "price-list.csv"} <= names
    assert "questions.json" not in names
    assert Job.objects.filter(state="queued").count() == len(names)


def test_a_second_start_changes_and_shows_nothing(capsys: Any) -> None:
    start(capsys)
    Document.objects.filter(name="price-list.csv").delete()
    before = Document.objects.count(), User.objects.get().password
    assert start(capsys) == ""
    assert (Document.objects.count(), User.objects.get().password) == before
    assert (Organisation.objects.count(), Bot.objects.count(), Membership.objects.count()) == (1, 1, 1)


def test_a_password_that_was_given_is_taken_and_not_shown(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("REFDESK_ADMIN_EMAIL", "Chief@Example.org")
    monkeypatch.setenv("REFDESK_ADMIN_PASSWORD", "given by the deployment")
    monkeypatch.setenv("REFDESK_SAMPLES", "0")
    shown = start(capsys)
    assert "given by" not in shown
    assert authenticate(username="chief@example.org", password="given by the deployment") is not None
    assert not Document.objects.exists()
    assert Bot.objects.get().live_revision.parsed.starters == []  # type: ignore[union-attr]


def test_a_password_that_cannot_be_used_leaves_nothing_half_made(monkeypatch: Any) -> None:
    monkeypatch.setenv("REFDESK_ADMIN_PASSWORD", "short")
    with pytest.raises(SystemExit) as ended:
        call_command("first_start")
    assert "too short" in str(ended.value)
    assert not Organisation.objects.exists()
    assert not User.objects.exists()
