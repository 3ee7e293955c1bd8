"""What a turn's statements read, however much there is to read."""

import time

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from app.bots.models import Bot
from app.chat.tests.conftest import Desk
from app.conftest import Person
from app.llm.tests.scripted import Script, ScriptedModel

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = 40
TABLES = ("chat_message", "chat_conversation", "usage_usageentry", "usage_usagetotal", "ingest_chunk")


def rows_read() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT t.relname, t.seq_tup_read + COALESCE(sum(i.idx_tup_read), 0) FROM pg_stat_user_tables t"
            " LEFT JOIN pg_stat_user_indexes i ON i.relid = t.relid WHERE t.relname = ANY(%s)"
            " GROUP BY t.relname, t.seq_tup_read",
            [list(TABLES)],
        )
        return {table: int(count) for table, count in cursor.fetchall()}


async def test_a_turn_reads_no_more_rows_when_there_are_many(
    desk: Desk, library: Bot, alice: Person, model: ScriptedModel
) -> None:
    """Also by plans that were made when the tables were empty, as on the first day of a box."""
    # The upkeep reads rows too, by the clock: the turns take as long the first time as the second.
    model.script(Script(at_once=True))

    async def read_by(turns: int) -> dict[str, int]:
        # Connections tell what they have read when they have been idle for a second.
        before = await sync_to_async(settled)()
        for _ in range(turns):
            await desk.ask(alice.key, "How long is the warranty?")
        after = await sync_to_async(settled)()
        return {table: after[table] - before[table] for table in TABLES}

    first = await read_by(TURNS)
    later = await read_by(TURNS)
    # Reading the organisation's messages of the first turns again would be 2 * TURNS rows more for each turn.
    assert {table: (first[table], later[table]) for table in TABLES if later[table] > first[table] + 10 * TURNS} == {}


def settled() -> dict[str, int]:
    """Once nothing more is told."""
    known: dict[str, int] = {}
    for _ in range(40):
        time.sleep(1.2)
        now = rows_read()
        if now == known:
            return now
        known = now
    raise AssertionError("the statistics do not settle")
