"""Plots of the dashboard: data for a canvas, and the same figures as a table for screen readers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.analytics.selectors import AnswerFigures, Answers, DocumentFigures
from app.library.choices import DocumentState

Number = float | int | None
MODES = (
    ("Written by a model", "lamp", "by_model"),
    ("Quoted, no model used", "plot", "extractive"),
    ("Not in the documents", "warn", "refused"),
    ("Failed", "bad", "failed"),
)
STATE_TONES = {
    DocumentState.READY: "lamp",
    DocumentState.RUNNING: "plot",
    DocumentState.QUEUED: "soft",
    DocumentState.FAILED: "bad",
    DocumentState.CANCELLED: "warn",
}


@dataclass(frozen=True, slots=True)
class Series:
    """A series of values. tone: a colour of tokens.css."""

    name: str
    tone: str
    values: list[Number]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot.

    Attributes:
        kind: bar (stacked), line or doughnut.
        summary: the plot's message, in a sentence.
        first: heading of the table's first column.
        unit: after each number, as "s".
        empty: a text for a plot without data.
    """

    id: str
    title: str
    kind: str
    summary: str
    first: str
    labels: list[str]
    series: list[Series]
    empty: str
    unit: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def drawing(self) -> dict[str, Any]:
        """Return the data that frontend/src/admin/dashboard.ts reads."""
        series = [
            {"name": row.name, "tone": row.tone, "values": row.values, "dashed": row.dashed} for row in self.series
        ]
        return {"kind": self.kind, "labels": self.labels, "series": series, "unit": self.unit}

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """Return the rows of the table, the latest day first, without days that have no values."""
        rows = []
        for number, label in enumerate(self.labels):
            values = [series.values[number] for series in self.series]
            if any(values):
                rows.append((label, [number_text(value, self.unit) for value in values]))
        return rows[::-1] if self.first == "Day" else rows


def number_text(value: Number, unit: str = "") -> str:
    if value is None:
        return "–"
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:,}"


def _daily(figures: AnswerFigures, name: str) -> list[Number]:
    values: list[Number] = [getattr(day, name) for day in figures.days]
    return values


def _questions(count: int) -> str:
    return f"{count:,} question{'' if count == 1 else 's'}"


def _days(figures: AnswerFigures) -> list[str]:
    return [f"{day.day:%-d %b}" for day in figures.days if day.day is not None]


def questions_chart(figures: AnswerFigures, *, words: str) -> Chart:
    return Chart(
        id="questions",
        title="Questions a day",
        kind="bar",
        summary=f"{_questions(figures.total.questions)} {words}, by how they were answered.",
        first="Day",
        labels=_days(figures),
        series=[Series(name, tone, _daily(figures, field)) for name, tone, field in MODES],
        empty="Nobody has asked yet. Try a question in the portal, or tell your people the address.",
    )


def modes_chart(figures: AnswerFigures, *, words: str) -> Chart:
    total = figures.total
    answered = total.by_model + total.extractive
    share = round(100 * answered / total.questions) if total.questions else 0
    return Chart(
        id="modes",
        title="How answers were made",
        kind="doughnut",
        summary=f"{share}% of the questions {words} were answered from the documents.",
        first="Answer",
        labels=[name for name, _, _ in MODES],
        series=[Series("Answers", ",".join(tone for _, tone, _ in MODES), [getattr(total, f) for _, _, f in MODES])],
        empty="It shows once there are answers.",
    )


def latency_chart(figures: AnswerFigures, *, words: str) -> Chart:
    total = figures.total
    first = f"{total.first_median:.1f} s" if total.first_median is not None else "not known"
    lines: Sequence[tuple[str, str, str, bool]] = (
        ("First words, median", "lamp", "first_median", False),
        ("First words, 95 of 100", "lamp", "first_slow", True),
        ("Whole answer, median", "plot", "total_median", False),
        ("Whole answer, 95 of 100", "plot", "total_slow", True),
    )
    return Chart(
        id="latency",
        title="How long answers take",
        kind="line",
        summary=f"Half of the answers {words} began within {first}.",
        first="Day",
        labels=_days(figures),
        series=[Series(name, tone, _seconds(figures, field), dashed) for name, tone, field, dashed in lines],
        empty="It shows once there are answers.",
        unit="s",
    )


def _seconds(figures: AnswerFigures, name: str) -> list[Number]:
    return [None if value is None else round(value, 3) for value in _daily(figures, name)]


def satisfaction_chart(figures: AnswerFigures, *, words: str) -> Chart:
    total = figures.total
    rated = total.thumbs_up + total.thumbs_down
    share = f"{round(100 * total.thumbs_up / rated)}% of {rated:,} ratings" if rated else "No ratings"
    return Chart(
        id="satisfaction",
        title="Satisfaction",
        kind="bar",
        summary=f"{share} {words} {'are thumbs up' if rated else 'yet'}.",
        first="Day",
        labels=_days(figures),
        series=[
            Series("Thumbs up", "lamp", _daily(figures, "thumbs_up")),
            Series("Thumbs down", "bad", _daily(figures, "thumbs_down")),
        ],
        empty="Nobody has rated an answer. Ratings come by the API: the portal does not ask yet.",
    )


def documents_chart(figures: DocumentFigures) -> Chart:
    states = [state for state in DocumentState if figures.states.get(state)]
    ready = figures.states.get(DocumentState.READY, 0)
    return Chart(
        id="documents",
        title="Documents",
        kind="doughnut",
        summary=f"{ready:,} of {figures.all:,} documents can be asked.",
        first="State",
        labels=[state.label for state in states],
        series=[
            Series(
                "Documents",
                ",".join(STATE_TONES[state] for state in states),
                [figures.states[state] for state in states],
            )
        ],
        empty="There are no documents yet. Drop files on the portal's Documents page; answers come from them.",
    )


ANSWER_CHARTS: tuple[Callable[..., Chart], ...] = (
    questions_chart,
    modes_chart,
    satisfaction_chart,
    latency_chart,
)


def dashboard_tiles(
    total: Answers, earlier: Answers, documents: DocumentFigures, *, days: int
) -> list[tuple[str, str, str, str]]:
    """Return the figures at the top: name, value, remark, and the change since the period before of as many days."""
    rated = total.thumbs_up + total.thumbs_down
    first = "–" if total.first_median is None else f"{total.first_median:.1f} s"
    slow = "" if total.first_slow is None else f"95 of 100 within {total.first_slow:.1f} s"
    ready = documents.states.get(DocumentState.READY, 0)
    return [
        (
            "Questions",
            f"{total.questions:,}",
            f"{total.refused:,} not in the documents" if total.refused else "",
            _change(total.questions, earlier.questions, "", days) if earlier.questions else "",
        ),
        (
            "Answered",
            _percent(_answered(total)),
            f"{total.failed:,} failed" if total.failed else "",
            _change(_answered(total), _answered(earlier), " points", days),
        ),
        ("First words", first, slow, _change(total.first_median, earlier.first_median, " s", days)),
        (
            "Thumbs up",
            _percent(_liked(total)),
            f"of {rated:,}" if rated else "",
            _change(_liked(total), _liked(earlier), " points", days),
        ),
        ("Documents ready", f"{ready:,}", f"of {documents.all:,}", ""),
    ]


def _answered(total: Answers) -> float | None:
    return 100 * (total.by_model + total.extractive) / total.questions if total.questions else None


def _liked(total: Answers) -> float | None:
    rated = total.thumbs_up + total.thumbs_down
    return 100 * total.thumbs_up / rated if rated else None


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{round(share)}%"


def _change(now: float | None, before: float | None, unit: str, days: int) -> str:
    """Return a change in words; nothing where one of the periods has no figure."""
    if now is None or before is None:
        return ""
    digits = 1 if unit == " s" else 0
    change = round(now, digits) - round(before, digits)
    if not round(change, digits):
        return f"as in the {days} days before"
    return f"{change:+,.{digits}f}{unit} since the {days} days before"
