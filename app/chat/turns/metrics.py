"""Count turns for /metrics. A model is named only when the deployment chose it, not a bot."""

from prometheus_client import Counter, Histogram

from app.chat.turns.state import TurnContext

TURN_S = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
QUESTIONS = Counter(
    "chat_requests_total", "Questions, by how they were answered and how that ended", ("mode", "status")
)
FAILURES = Counter("chat_errors_total", "Answers with an error, which may still be quoted passages", ("code",))
FIRST_TOKEN = Histogram("chat_first_token_seconds", "Until the first words of an answer", ("mode",), buckets=TURN_S)
WHOLE = Histogram("chat_latency_seconds", "Until the end of an answer", ("mode",), buckets=TURN_S)
TOKENS = Counter("llm_tokens_total", "Tokens of the language model, read (in) and written (out)", ("model", "type"))


def turn_count(turn: TurnContext, state: str) -> None:
    """Count an ended turn, with its timings."""
    mode = str(turn.mode)
    QUESTIONS.labels(mode, state).inc()
    if turn.error is not None:
        FAILURES.labels(turn.error.code).inc()
    first_s, total_s = turn.timings.get("first_token_s"), turn.timings.get("total_s")
    if first_s is not None:
        FIRST_TOKEN.labels(mode).observe(first_s)
    if total_s is not None:
        WHOLE.labels(mode).observe(total_s)
    if turn.tokens_in or turn.tokens_out:
        model = "chosen by a bot" if turn.bot.settings.llm_model else turn.model.name
        TOKENS.labels(model, "in").inc(turn.tokens_in)
        TOKENS.labels(model, "out").inc(turn.tokens_out)
