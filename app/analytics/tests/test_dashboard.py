"""The dashboard: correct figures, of the visible organisations only, quickly."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Organisation
from app.accounts.services import membership_create, organisation_create, user_create
from app.analytics.attention import notice_list
from app.analytics.charts import dashboard_tiles
from app.analytics.selectors import (
    Answers,
    DocumentFigures,
    answer_figures,
    document_figures,
    period_start,
    unanswered_list,
)
from app.bots.models import Bot
from app.bots.services import bot_create, bot_pause
from app.chat.models import Conversation, Message
from app.lib.tenancy import ROLE
from app.library.models import Document
from app.plans.models import Plan, UsageEntry, UsageTotal
from app.plans.selectors import today
from tests.factories import tenant_make
from tests.people import PASSWORD, Person

QUERIES = 20


@pytest.fixture
def bot(alice: Person) -> Bot:
    return bot_create(organisation=alice.organisation, slug="desk", name="Desk")


def answer_make(bot: Bot, *, question: str = "How?", at: datetime | None = None, **values: Any) -> Message:
    """Write a question in a conversation of its own, and its answer."""
    conversation = Conversation.objects.create(organisation=bot.organisation, bot=bot, title=question)
    shared = {"organisation": bot.organisation, "conversation": conversation}
    question_row = Message.objects.create(**shared, role="user", content=question)
    values = {"mode": "extractive", "state": "done", **values}
    answer = Message.objects.create(**shared, role="assistant", reply_to=question_row, content="So.", **values)
    if at is not None:
        Message.objects.filter(conversation=conversation).update(created=at)
    return answer


def ledger_line(bot: Bot, **values: Any) -> UsageEntry:
    values = {"kind": "turn", "step": "reserve", "requests": 1, "bot": bot.pk, **values}
    return UsageEntry.objects.create(organisation=bot.organisation, at=timezone.now(), day=today(), **values)


def test_answers_are_counted_by_day_and_by_how_they_were_made(alice: Person, bot: Bot) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    answer_make(bot, mode="model", rating=1)
    answer_make(bot, mode="refused", rating=-1)
    answer_make(bot, mode="model", state="failed", error_code="model_timeout")
    answer_make(bot, at=yesterday)
    answer_make(bot, at=period_start(7) - timedelta(seconds=1))
    figures = answer_figures(organisations=[alice.organisation.pk], days=7)
    assert [day.questions for day in figures.days] == [0, 0, 0, 0, 0, 1, 3]
    today, total = figures.days[-1], figures.total
    assert (today.by_model, today.extractive, today.refused, today.failed) == (1, 0, 1, 1)
    assert (total.questions, total.extractive, total.thumbs_up, total.thumbs_down) == (4, 1, 1, 1)


def test_latency_is_the_median_and_the_95th_of_100(alice: Person, bot: Bot) -> None:
    for number in range(101):
        answer_make(bot, timings={"first_token_s": number / 100, "total_s": number / 10})
    answer_make(bot, timings={"first_token_s": None})
    total = answer_figures(organisations=[alice.organisation.pk], days=7).total
    shown = [total.first_median, total.first_slow, total.total_median, total.total_slow]
    assert [round(value or 0, 6) for value in shown] == [0.5, 0.95, 5.0, 9.5]


def test_figures_are_of_the_named_organisations_only(alice: Person, charlie: Person) -> None:
    tenant_make(alice, word="lighthouse")
    tenant_make(charlie, word="submarine")
    for organisations, count in (([], 0), ([alice.organisation.pk], 1), ([charlie.organisation.pk], 1)):
        assert answer_figures(organisations=organisations, days=30).total.questions == count
        assert document_figures(organisations=organisations).all == count
    both = [alice.organisation.pk, charlie.organisation.pk]
    assert answer_figures(organisations=both, days=30).total.questions == 2


def test_unanswered_questions_are_grouped_and_the_most_asked_come_first(alice: Person, bot: Bot) -> None:
    answer_make(bot, question="Where is the key?", mode="refused")
    for words in ("Who pays?", "  who pays? ", "WHO PAYS?"):
        answer_make(bot, question=words, mode="refused")
    answer_make(bot, question="When?", mode="model", state="failed", error_code="model_timeout")
    answer_make(bot, question="Answered?")
    rows = unanswered_list(organisations=[alice.organisation.pk], days=7)
    assert [(row.question.strip().lower(), row.times) for row in rows] == [
        ("who pays?", 3),
        ("when?", 1),
        ("where is the key?", 1),
    ]
    assert rows[1].error_code == "model_timeout"


def test_what_needs_attention_is_named_with_what_to_do(alice: Person, bot: Bot) -> None:
    mine = tenant_make(alice, word="lighthouse")
    organisations = [alice.organisation.pk]
    assert notice_list(organisations=organisations) == []
    Document.objects.filter(pk=mine.document.pk).update(state="failed", error_code="encrypted_file")
    ApiKey.objects.filter(pk=mine.api_key.pk).update(expires=timezone.now() + timedelta(days=3))
    bot_pause(organisation=alice.organisation.pk, bot=bot.pk)
    answer_make(bot, state="failed", error_code="model_timeout")
    Organisation.objects.filter(pk=alice.organisation.pk).update(suspended=timezone.now())
    notices = notice_list(organisations=organisations)
    assert [notice.kind for notice in notices] == ["organisation", "messages", "documents", "key", "bot"]
    assert notices[2].title == "A document could not be read: The file is protected by a password."
    assert notices[2].words == "Save a copy without the password."
    assert notice_list(organisations=[]) == []


@pytest.mark.parametrize(("used", "heavy"), [(79, None), (80, False), (100, True)])
def test_a_month_that_may_not_be_enough_makes_a_notice(alice: Person, used: int, heavy: bool | None) -> None:
    plan = Plan.objects.create(name="small", title="Small", requests_per_month=100, soft_percent=80)
    Organisation.objects.filter(pk=alice.organisation.pk).update(plan=plan)
    month = timezone.now().date().replace(day=1)
    UsageTotal.objects.create(organisation=alice.organisation, month=month, requests=used)
    notices = notice_list(organisations=[alice.organisation.pk])
    assert [(notice.title, notice.heavy) for notice in notices] == (
        [] if heavy is None else [(f"Acme has used {used}% of its month", heavy)]
    )


def test_the_page_shows_each_figure_as_plot_and_as_table(alice: Person, bot: Bot) -> None:
    ledger_line(bot, tokens_in=1234)
    answer_make(bot, mode="model", rating=1, timings={"first_token_s": 0.5, "total_s": 2})
    page = alice.client.get("/admin/").content.decode()
    for title in ("Questions a day", "How answers were made", "How long answers take", "Tokens a day", "Satisfaction"):
        assert title in page
    assert page.count("<canvas data-chart=") == page.count("Figures as a table") == 5
    assert "<td>1,234</td>" in page
    assert "<td>0.50 s</td>" in page
    # Without a document a hint replaces the plot.
    assert "There are no documents yet." in page


def test_an_empty_organisation_is_told_where_to_begin(alice: Person) -> None:
    page = alice.client.get("/admin/").content.decode()
    assert "Begin here" in page
    assert "Nobody has asked yet." in page
    assert "<canvas" not in page


def test_unanswered_questions_are_for_owners_not_for_admins(acme: Organisation, alice: Person, bob: Person) -> None:
    membership_create(organisation=acme, user=bob.user, role=Role.ADMIN)
    bot = bot_create(organisation=acme, slug="desk", name="Desk")
    answer_make(bot, question="Who earns most?", mode="refused")
    assert "Who earns most?" in alice.client.get("/admin/").content.decode()
    page = bob.client.get("/admin/").content.decode()
    assert "Who earns most?" not in page
    assert "1 in 30 days. Conversations are private" in page


def test_hostile_words_are_shown_as_they_are_written(alice: Person) -> None:
    payload = "</script><img src=x onerror=alert(1)>"
    bot = bot_create(organisation=alice.organisation, slug="x", name=payload)
    answer_make(bot, question=payload, mode="refused")
    bot_pause(organisation=alice.organisation.pk, bot=bot.pk)
    page = alice.client.get("/admin/").content.decode()
    assert payload not in page
    assert page.count("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;") >= 3


def test_an_admin_of_several_looks_at_one_or_at_all_of_their_own(alice: Person, charlie: Person) -> None:
    tenant_make(alice, word="lighthouse")
    tenant_make(charlie, word="submarine")
    organisation_create(slug="third", name="Third party")
    page = alice.client.get("/admin/").content.decode()
    assert "All organisations" not in page
    membership_create(organisation=charlie.organisation, user=alice.user, role=Role.ADMIN)
    page = alice.client.get("/admin/").content.decode()
    assert "All organisations" in page
    assert "Third party" not in page
    assert _questions(alice.client) == "2"
    alice.client.get("/admin/?organisation=other")
    assert _questions(alice.client) == "1"
    listed = alice.client.get("/admin/library/document/").content.decode()
    assert "submarine.txt" in listed
    assert "lighthouse.txt" not in listed
    # A choice narrows lists; it does not show other organisations.
    alice.client.get("/admin/?organisation=third")
    assert _questions(alice.client) == "2"


def _questions(client: Client) -> str:
    return str({name: value for name, value, _, _ in client.get("/admin/").context["tiles"]}["Questions"])


def test_a_choice_ends_with_the_role_that_made_it(alice: Person, charlie: Person) -> None:
    tenant_make(charlie, word="submarine")
    member = membership_create(organisation=charlie.organisation, user=alice.user, role=Role.ADMIN)
    alice.client.get("/admin/?organisation=other")
    assert _questions(alice.client) == "1"
    member.delete()
    assert _questions(alice.client) == "0"


def test_an_operator_chooses_among_all(alice: Person, charlie: Person, db: Any) -> None:
    tenant_make(alice, word="lighthouse")
    tenant_make(charlie, word="submarine")
    operator = Client()
    operator.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    assert _questions(operator) == "2"
    operator.get("/admin/?organisation=other")
    assert _questions(operator) == "1"


# Questions 1 to `count` of a conversation, or their answers; every tenth answer is refused, every tenth row rated.
MANY = """
INSERT INTO chat_message (id, organisation_id, conversation_id, role, idempotency_key, content, state, mode, model,
  tokens_in, tokens_out, timings, error_code, rating, created, updated, reply_to_id)
SELECT md5(%(conversation)s || %(role)s || n)::uuid, %(organisation)s::uuid, %(conversation)s::uuid, %(role)s, '',
  'question ' || (n %% 5000), 'done',
  CASE WHEN %(role)s = 'user' THEN '' WHEN n %% 10 = 0 THEN 'refused' ELSE 'model' END,
  '', 900, 120, jsonb_build_object('first_token_s', random(), 'total_s', random() * 10), '',
  CASE WHEN n %% 10 = 1 THEN 1 END, now() - random() * interval '60 days', now(),
  CASE WHEN %(role)s = 'assistant' THEN md5(%(conversation)s || 'user' || n)::uuid END
FROM generate_series(1, %(count)s) n
"""


def _fill(bots: Sequence[Bot], count: int) -> list[UUID]:
    for bot in bots:
        home = Conversation.objects.create(organisation=bot.organisation, bot=bot, title="many")
        values = {"organisation": str(bot.organisation_id), "conversation": str(home.pk), "count": count // 2}
        with connection.cursor() as cursor:
            for role in ("user", "assistant"):
                cursor.execute(MANY, {**values, "role": role})
    with connection.cursor() as cursor:
        # The application's role may not: PostgreSQL would only warn, and the plan would be a matter of luck.
        cursor.execute("SET ROLE none")
        cursor.execute("ANALYZE chat_message")
        cursor.execute(f"SET ROLE {ROLE}")
    return [bot.organisation_id for bot in bots]


def test_a_hundred_thousand_messages_cost_under_a_second(alice: Person, charlie: Person, bot: Bot) -> None:
    other = bot_create(organisation=charlie.organisation, slug="desk", name="Desk")
    third = bot_create(organisation=organisation_create(slug="third"), slug="desk", name="Desk")
    _fill([bot, other, third], 33_334)
    for shown in ([alice.organisation.pk], [alice.organisation.pk, charlie.organisation.pk]):
        with CaptureQueriesContext(connection) as queries:
            assert answer_figures(organisations=shown, days=30).total.questions > 5000 * len(shown)
            assert len(unanswered_list(organisations=shown, days=30)) == 10
        assert sum(float(query["time"]) for query in queries) < 1
    with CaptureQueriesContext(connection) as queries:
        assert alice.client.get("/admin/").status_code == 200
    assert len(queries) <= QUERIES


def test_one_organisation_s_figures_do_not_read_another_s_rows(alice: Person, charlie: Person, bot: Bot) -> None:
    other = bot_create(organisation=charlie.organisation, slug="desk", name="Desk")
    _fill([other], 20_000)
    _fill([bot], 200)
    with CaptureQueriesContext(connection) as queries:
        answer_figures(organisations=[alice.organisation.pk], days=30)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[0]['sql'].partition('; ')[2]}")  # without the scope before it
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "answer_by_day" in plan
    assert "Seq Scan" not in plan


def test_a_tile_says_what_changed_since_the_period_before() -> None:
    now = Answers(None, questions=120, by_model=61, refused=59, thumbs_up=3, thumbs_down=1, first_median=0.7)
    earlier = Answers(None, questions=100, by_model=52, refused=48, first_median=1.04)
    tiles = {tile[0]: tile[3] for tile in dashboard_tiles(now, earlier, DocumentFigures(), days=30)}
    assert tiles == {
        "Questions": "+20 since the 30 days before",
        "Answered": "−1 point since the 30 days before",
        "First words": "−0.3 s since the 30 days before",
        "Thumbs up": "",  # nobody rated before
        "Documents ready": "",
    }
    same = dashboard_tiles(now, now, DocumentFigures(), days=7)
    assert [tile[3] for tile in same if tile[3]] == ["as in the 7 days before"] * 4
    assert not any(tile[3] for tile in dashboard_tiles(now, Answers(None), DocumentFigures(), days=7))
