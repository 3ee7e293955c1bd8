"""scripts/smoke leaves no trace in a box, and erases nothing that it did not make."""

import io
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pypdfium2
import pytest
from django.core.management import call_command

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Organisation, User
from app.bots.models import Bot
from app.chat.models import Conversation
from app.library.connectors.protocol import Content
from app.library.connectors.uploads import file_item
from app.library.models import Document, Source
from app.library.services.intake import document_put
from app.operations.sample_library import samples_load
from app.operations.smoke.names import paper_name, person_email, person_name
from app.operations.smoke.paper import paper_make
from app.operations.smoke.steps import Failed, StepFailed, step
from tests.people import Person, person_make
from tools.reference import ROOT

Uploads = Callable[[Organisation], Source]
WORD = "0123abcd"


def traces(capsys: Any, *options: str) -> str:
    call_command("smoke_traces", *options)
    return str(capsys.readouterr().out)


def upload(source: Source, name: str, content: bytes) -> None:
    item, arrived = file_item(name), Content(io.BytesIO(content))
    document_put(organisation=source.organisation_id, source=source, item=item, content=arrived)


def smoke_person(organisation: Organisation, word: str) -> User:
    user = person_make(person_name(word), organisation, Role.EDITOR).user
    user.email = person_email(word)
    user.save()
    return user


@pytest.mark.django_db(transaction=True)
def test_what_a_run_made_is_removed_and_nothing_else(
    capsys: Any, acme: Organisation, alice: Person, uploads: Uploads, desk: Callable[[Organisation], Bot]
) -> None:
    source, bot = uploads(acme), desk(acme)
    upload(source, paper_name(WORD), b"made by smoke")
    upload(source, paper_name("another0"), b"made by another run")
    upload(source, "handbook.txt", b"made by a person")
    for user in (smoke_person(acme, WORD), alice.user):
        Conversation.objects.create(organisation=acme, bot=bot, user=user, title="A question")
    traces(capsys, "--remove", WORD)
    assert set(Document.objects.values_list("name", flat=True)) == {paper_name("another0"), "handbook.txt"}
    assert list(User.objects.values_list("email", flat=True)) == [alice.user.email]
    assert Conversation.objects.get().user == alice.user
    # Again, as after a run that came to nothing.
    traces(capsys, "--remove", WORD)


@pytest.mark.django_db(transaction=True)
def test_only_samples_and_traces_of_smoke_may_be_erased_unasked(
    capsys: Any, acme: Organisation, uploads: Uploads, desk: Callable[[Organisation], Bot]
) -> None:
    source = uploads(acme)
    samples_load(source=source)
    upload(source, paper_name(WORD), b"made by smoke")
    person = smoke_person(acme, WORD)
    Conversation.objects.create(organisation=acme, bot=desk(acme), user=person, title="A question")
    ApiKey.objects.all().delete()  # each person of the tests has one
    assert json.loads(traces(capsys, "--foreign")) == {}
    # A sample's name does not make it one.
    Document.objects.get(name="travel-policy.pdf").delete()
    upload(source, "travel-policy.pdf", b"made by a person")
    person_make("dora", acme, Role.VIEWER)
    assert json.loads(traces(capsys, "--foreign")) == {"people": 1, "documents": 1, "API keys": 1}


def test_the_paper_holds_the_fact_that_is_asked_for() -> None:
    paper = paper_make(WORD)
    with pypdfium2.PdfDocument(paper.content) as pdf:
        text = pdf[0].get_textpage().get_text_range()
    assert paper.fact in text
    assert f"Zarvo{WORD}" in text
    assert f"Zarvo{WORD}" in paper.question


def test_a_step_that_fails_says_its_name_the_reason_and_where_to_look(capsys: Any) -> None:
    with pytest.raises(StepFailed) as general, step("Asking", "scripts/doctor"):
        raise TimeoutError("Locator.click: Timeout 30000ms exceeded.\nCall log:\n  - waiting\n  - and so on")
    assert (general.value.step, general.value.look) == ("Asking", "scripts/doctor")
    assert general.value.what == "Locator.click: Timeout 30000ms exceeded. Call log: - waiting"
    with pytest.raises(StepFailed) as better, step("Asking", "scripts/doctor"):
        raise Failed("no source", "scripts/logs worker")
    assert better.value.look == "scripts/logs worker"
    assert capsys.readouterr().out == "Asking … FAILED\n" * 2


def test_smoke_explains_itself_without_docker() -> None:
    output = subprocess.run(
        [ROOT / "scripts/smoke", "--help"], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert "ERASES EVERYTHING" in output.stdout
