"""The single declaration of a message's or citation's column: SQL, API, exports and browser's types follow from it."""

import re
from pathlib import Path

import pytest
from django.db import connection, models

from app.bots.models import Bot
from app.chat.models import Citation, Conversation, Message
from app.chat.schemas import CitationOut, ConversationOut, MessageOut
from app.chat.tests.conftest import Desk
from app.chat.turns import run, select
from app.chat.turns.sql import CLOSE
from app.chat.turns.state import Step, TurnContext
from app.lib.columns import Use, column_names, columns
from app.privacy.archive.rows import CitationRow, ConversationRow, MessageRow
from tests.people import Person

BROWSER_TYPES = Path(__file__).parents[3] / "frontend" / "src" / "chat" / "payloads.ts"
SCHEMAS = {Conversation: ConversationOut, Message: MessageOut, Citation: CitationOut}
ROWS = {Conversation: ConversationRow, Message: MessageRow, Citation: CitationRow}
MODELS = list(SCHEMAS)


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS)
def test_every_declared_column_is_a_column_of_its_table(model: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, model._meta.db_table)
    declared = {name for use in Use for name in column_names(model, use)}
    assert declared
    assert declared <= {each.name for each in table}


@pytest.mark.parametrize("model", MODELS)
def test_every_column_of_the_api_is_in_its_schema_and_the_browser_s_types(model: type[models.Model]) -> None:
    names = [each.name for each in columns(model, Use.API)]
    assert set(names) <= set(SCHEMAS[model].model_fields)
    interface = re.search(
        rf"^export interface {model.__name__} {{\n(.*?)^}}", BROWSER_TYPES.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert interface is not None
    written = re.findall(r"^  (\w+): ", interface[1], re.MULTILINE)
    assert written == list(SCHEMAS[model].model_fields)


@pytest.mark.parametrize("model", MODELS)
def test_every_column_of_an_archive_is_in_its_row_and_no_other(model: type[models.Model]) -> None:
    assert list(ROWS[model].model_fields) == [each.name for each in columns(model, Use.ARCHIVE)]


def test_every_column_of_the_result_is_written_at_the_end_of_a_turn() -> None:
    for each in columns(Message, Use.RESULT):
        assert f'"{each.attname}" = %({each.attname})s' in CLOSE
    for each in columns(Citation, Use.RESULT):
        assert f'x."{each.attname}"' in CLOSE


def test_what_is_not_declared_stays_in_its_table() -> None:
    for name in ("idempotency_key", "organisation"):
        assert name not in MessageOut.model_fields
        assert name not in MessageRow.model_fields


@pytest.mark.django_db(transaction=True)
async def test_a_column_that_a_step_sets_is_recorded_and_given_by_the_api(
    desk: Desk, library: Bot, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reason(turn: TurnContext) -> None:
        turn.columns["finish_reason"] = "length"

    plain = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    monkeypatch.setattr(run, "ANSWERING", (select.STEP, Step("reason", reason), *run.ANSWERING[1:]))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    sent = [asked[-1][2]["message"] for asked in (plain, events)]
    assert [message["finish_reason"] for message in sent] == [None, "length"]
    for message in sent:
        _, read = await desk.json(desk.get(f"/messages/{message['id']}", bob.key))
        assert read["finish_reason"] == message["finish_reason"]
        row = await Message.objects.aget(pk=message["id"])
        assert row.finish_reason == (message["finish_reason"] or "")
