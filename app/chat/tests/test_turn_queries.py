"""Rows that a turn's statements read stay few, however many there are."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from app.bots.models import Bot
from app.chat.tests.conftest import Desk
from app.lib.async_sql import MOST_CONNECTIONS, fetch
from app.llm.tests.fake_llm import Script, ScriptedModel
from tests.database import as_superuser
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = 40
GROWING = ("chat_message", "chat_conversation", "plans_usageentry", "plans_usagetotal")
TABLES = (*GROWING, "library_chunk")


def tables_as_on_the_first_day(on: bool) -> None:
    """Empty the tables and disable autovacuum for them, which would otherwise update their plans at some time."""
    for table in GROWING:
        as_superuser(f"ALTER TABLE {table} SET (autovacuum_enabled = {'off' if on else 'on'})")
    if on:
        as_superuser(f"TRUNCATE {', '.join(GROWING)} CASCADE")


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


async def rows_read_by_now() -> dict[str, int]:
    """Return the rows read so far. A connection reports up to ten seconds late by itself, so all are asked at once."""
    tell = "SELECT pg_stat_force_next_flush() IS NULL, pg_sleep(0.3) IS NULL"
    await asyncio.gather(*(fetch(tell, {}) for _ in range(MOST_CONNECTIONS)))
    await asyncio.sleep(0.3)
    return await sync_to_async(rows_read)()


async def test_a_turn_reads_no_more_rows_when_there_are_many(
    desk: Desk, library: Bot, alice: Person, model: ScriptedModel
) -> None:
    """Check this also with plans made when the tables were empty, as on the first day of a box."""
    # The upkeep reads rows too, at fixed times: both series of turns take the same time.
    model.script(Script(at_once=True))

    async def read_by(turns: int) -> dict[str, int]:
        before = await rows_read_by_now()
        for _ in range(turns):
            await desk.ask(alice.key, "How long is the warranty?")
        after = await rows_read_by_now()
        return {table: after[table] - before[table] for table in TABLES}

    await sync_to_async(tables_as_on_the_first_day)(True)
    try:
        first = await read_by(TURNS)
        later = await read_by(TURNS)
    finally:
        await sync_to_async(tables_as_on_the_first_day)(False)
    assert first["chat_message"] >= TURNS  # the question's row is read when the answer is written
    # Reading the organisation's messages of the first turns again would be 2 * TURNS rows more for each turn.
    assert {table: (first[table], later[table]) for table in TABLES if later[table] > first[table] + 10 * TURNS} == {}
