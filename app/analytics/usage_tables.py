"""Usage for people: plots of days, and tables by bot, key, person, model and organisation."""

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
# Labels of entries without such an id.
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
    """A table of usage. rows: a name and its sums, most used first; left_out: the number of rows only in the file."""

    by: UsageBy
    title: str
    rows: list[tuple[str, Used]]
    left_out: int

    @property
    def heading(self) -> str:
        return str(self.by.label)

    @property
    def word(self) -> str:
        """Return the name of the grouping in the addresses of the page and of the API."""
        return self.by.name.lower()


def usage_names(
    *, organisations: Sequence[UUID], by: UsageBy, used: Iterable[Used], longer: bool = False
) -> dict[str, str]:
    """Return names of existing rows, by the key of their sums. Rows of other organisations never get a name.

    longer: adds the beginning of an API key or a bot's organisation, to distinguish rows of one name.
    """
    if by in (UsageBy.DAY, UsageBy.MODEL):
        return {row.key: row.key for row in used if row.key}
    ids, within = [UUID(row.key) for row in used if row.key], list(organisations)
    pairs: Iterable[tuple[Any, ...]]
    if not ids:
        return {}
    if by is UsageBy.BOT:
        bots = Bot.objects.filter(organisation__in=within, pk__in=ids).values_list("pk", "name", "organisation__name")
        has_several = longer and len(within) > 1
        pairs = ((bot, f"{name} ({organisation})" if has_several else name) for bot, name, organisation in bots)
    elif by is UsageBy.ORGANISATION:
        pairs = Organisation.objects.filter(pk__in=set(ids) & set(within)).values_list("pk", "name")
    elif by is UsageBy.KEY:
        keys = ApiKey.objects.filter(organisation__in=within, pk__in=ids).values_list("pk", "name", "prefix")
        pairs = ((key, f"{name} ({prefix}…)" if longer else name) for key, name, prefix in keys)
    else:
        members = Membership.objects.filter(organisation__in=within, user__in=ids)
        pairs = members.values_list("user_id", "user__email")
    return {str(key): name for key, name in pairs}


def usage_tables(report: Report, *, organisations: Sequence[UUID]) -> list[Table]:
    tables = []
    for by, title in TITLES.items():
        used = report.groups[by]
        names = usage_names(organisations=organisations, by=by, used=used, longer=True)
        rows = [(names.get(row.key, NONE[by]), row) for row in used if row.key in names or not row.key]
        removed = [row for row in used if row.key and row.key not in names]
        if removed:
            rows.append((f"Removed since ({len(removed)})", _sum(removed)))
            rows.sort(key=lambda row: (-row[1].tokens, -row[1].requests))
        tables.append(Table(by, title, rows[:SHOWN], max(0, len(rows) - SHOWN)))
    return tables


def _sum(used: Sequence[Used]) -> Used:
    sums = ("requests", "tokens_in", "tokens_out", "tokens_embedded")
    return Used("", *(sum(getattr(row, name) for row in used) for name in sums))


def usage_charts(report: Report, *, words: str) -> list[Chart]:
    requests = Chart(
        id="requests",
        title="Questions and searches a day",
        kind="bar",
        summary=f"{report.total.requests:,} {words}.",
        first="Day",
        labels=day_labels(report.days),
        series=[Series("Questions and searches", "lamp", [day.requests for day in report.days])],
        empty="Nobody asked or searched in this period.",
    )
    return [requests, tokens_chart(report.days, words=words)]


def tokens_chart(days: Sequence[Used], *, words: str) -> Chart:
    """Return the plot of charged tokens, from the ledger: turns of deleted conversations count too."""
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
