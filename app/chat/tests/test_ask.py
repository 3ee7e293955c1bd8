import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.library.models import Source
from app.llm.tests.fake_llm import Script, ScriptedModel
from tests.documents import document_row

pytestmark = pytest.mark.django_db(transaction=True)


def ask(*arguments: str) -> str:
    out = StringIO()
    call_command("ask", *arguments, "--organisation", "acme", stdout=out)
    return out.getvalue()


def test_the_answer_is_printed_with_its_sources(library: Bot, valkey: str) -> None:
    printed = ask("default", "How long is the warranty of the Vale 3?")
    assert "24 months from delivery" in printed
    assert "[1] manual.pdf, page 1" in printed
    assert "(extractive, " in printed


def test_as_json_it_is_the_message(library: Bot, valkey: str, model: ScriptedModel) -> None:
    model.script(Script(tokens=["24 months [1]."]))
    message: dict[str, Any] = json.loads(ask("default", "How long is the warranty of the Vale 3?", "--json"))
    assert (message["mode"], message["content"]) == ("model", "24 months [1].")
    assert message["citations"][0]["passage"]["document"]["name"] == "manual.pdf"


def test_valkey_hears_of_the_end_before_the_command_ends(
    library: Bot, valkey: str, model: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    model.script(Script(tokens=["24", " months", " from delivery", " [1]."], between_s=0.3))
    for _ in range(3):
        assert "24 months" in ask("default", "How long is the warranty of the Vale 3?")
    assert "Valkey does not answer" not in caplog.text


def test_a_bot_that_is_not_there_is_said(library: Bot, valkey: str) -> None:
    with pytest.raises(CommandError, match="There is no bot"):
        ask("nobody", "Anything?")


def test_a_refusal_says_that_documents_are_being_read(library: Bot, acme: Organisation, valkey: str) -> None:
    source = Source.objects.get(organisation=acme)
    document_row(source, "new.pdf", state="queued")
    printed = ask("default", "Who won the football world cup in 1998?")
    assert "One document is still being read. Ask again in a moment." in printed
