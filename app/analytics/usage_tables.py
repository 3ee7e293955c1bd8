"""Usage as people read it: plots of days, and tables by bot, key, person, model and organisation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.accounts.models import ApiKey, Membership, Organisation
from app.analytics.charts import Chart, Series
from app.bots.models import Bot
from app.plans.choices import UsageBy
from app.plans.report import Report
from app.plans.selectors import Used

SHOWN = 15
# What stands where an entry names none.
NONE = {
    UsageBy.BOT: "Without a bot: searches, documents read",
    UsageBy.KEY: "Without a key: people in the portal, documents read",
    UsageBy.USER: "Without a person: programs, documents read",
    UsageBy.MODEL: "Without a model: searches and quoted answers",
}
TITLES = {
    UsageBy.BOT: "By bot",
    UsageBy.KEY: "By API key",
    UsageBy.USER: "By person",
    UsageBy.MODEL: "By model",
}


@dataclass(frozen=True, slots=True)
class Table:
    """rows: a name and its sums, the most used first; left_out: how many more the file has."""

    by: UsageBy
    title: str
    rows: list[tuple[str, Used]]
    left_out: int

    @property
    def heading(self) -> str:
        return str(self.by.label)

    @property
    def word(self) -> str:
        """What the addresses of the page and of the API call it."""
        return self.by.name.lower()


def usage_names(
    *, organisations: Sequence[UUID], by: UsageBy, used: Iterable[Used], longer: bool = False
) -> dict[str, str]:
    """Names of what is still there, by the key of its sums. Other organisations' rows have none, whatever an id says.

    longer: with what tells those of one name apart: the beginning of an API key, a bot's organisation.
    """
    if by in (UsageBy.DAY, UsageBy.MODEL):
        return {row.key: row.key for row in used if row.key}
    ids, within = [UUID(row.key) for row in used if row.key], list(organisations)
    found: Iterable[tuple[Any, ...]]
    if not ids:
        return {}
    if by is UsageBy.BOT:
        bots = Bot.objects.filter(organisation__in=within, pk__in=ids).values_list("pk", "name", "organisation__name")
        several = longer and len(within) > 1
        found = ((bot, f"{name} ({organisation})" if several else name) for bot, name, organisation in bots)
    elif by is UsageBy.ORGANISATION:
        found = Organisation.objects.filter(pk__in=set(ids) & set(within)).values_list("pk", "name")
    elif by is UsageBy.KEY:
        keys = ApiKey.objects.filter(organisation__in=within, pk__in=ids).values_list("pk", "name", "prefix")
        found = ((key, f"{name} ({prefix}…)" if longer else name) for key, name, prefix in keys)
    else:
        members = Membership.objects.filter(organisation__in=within, user__in=ids)
        found = members.values_list("user_id", "user__email")
    return {str(key): name for key, name in found}


def usage_tables(report: Report, *, organisations: Sequence[UUID]) -> list[Table]:
    tables = []
    for by, title in TITLES.items():
        used = report.groups[by]
        names = usage_names(organisations=organisations, by=by, used=used, longer=True)
        rows = [(names.get(row.key, NONE[by]), row) for row in used if row.key in names or not row.key]
        removed = [row for row in used if row.key and row.key not in names]
        if removed:
            rows.append((f"Removed since ({len(removed)})", _together(removed)))
            rows.sort(key=lambda each: (-each[1].tokens, -each[1].requests))
        tables.append(Table(by, title, rows[:SHOWN], max(0, len(rows) - SHOWN)))
    return tables


def _together(used: Sequence[Used]) -> Used:
    sums = ("requests", "tokens_in", "tokens_out", "tokens_embedded")
    return Used("", *(sum(getattr(row, name) for row in used) for name in sums))


def usage_charts(report: Report, *, words: str) -> list[Chart]:
    requests = Chart(
        id="requests",
        title="Questions and searches a day",
        kind="bar",
        summary=f"{report.whole.requests:,} {words}.",
        first="Day",
        labels=day_labels(report.days),
        series=[Series("Questions and searches", "lamp", [day.requests for day in report.days])],
        empty="Nobody asked or searched in this period.",
    )
    return [requests, tokens_chart(report.days, words=words)]


def tokens_chart(days: Sequence[Used], *, words: str) -> Chart:
    """From the ledger, so that it says what is charged: turns whose conversation is deleted count too."""
    return Chart(
        id="tokens",
        title="Tokens a day",
        kind="bar",
        summary=f"{sum(day.tokens for day in days):,} tokens {words}: read by the model, and written by it.",
        first="Day",
        labels=day_labels(days),
        series=[
            Series("Read", "plot", [day.tokens_in for day in days]),
            Series("Written", "lamp", [day.tokens_out for day in days]),
        ],
        empty="No language model has answered. Answers without one cost no tokens.",
    )


def day_labels(days: Sequence[Used]) -> list[str]:
    return [f"{date.fromisoformat(day.key):%-d %b}" for day in days]
