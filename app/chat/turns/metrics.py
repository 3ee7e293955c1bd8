"""Count turns for /metrics. A model is named only when the deployment chose it, not a bot."""

from app.chat.turns.state import TurnContext
from app.lib.counts import Counter, Histogram

TURN_S = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
QUESTIONS = Counter(
    "chat_requests_total", "Questions, by how they were answered and how that ended", ("mode", "status")
)
FAILURES = Counter("chat_errors_total", "Answers with an error, which may still be quoted passages", ("code",))
FIRST_TOKEN = Histogram("chat_first_token_seconds", "Until the first words of an answer", ("mode",), buckets=TURN_S)
WHOLE = Histogram("chat_latency_seconds", "Until the end of an answer", ("mode",), buckets=TURN_S)
TOKENS = Counter("llm_tokens_total", "Tokens of the language model, read (in) and written (out)", ("model", "type"))


def turn_count(turn: TurnContext, state: str) -> None:
    """Count a turn that has ended; its timings are known."""
    mode = str(turn.mode)
    QUESTIONS.add(mode, str(state))
    if turn.error is not None:
        FAILURES.add(turn.error.code)
    first_s, total_s = turn.timings.get("first_token_s"), turn.timings.get("total_s")
    if first_s is not None:
        FIRST_TOKEN.observe(first_s, mode)
    if total_s is not None:
        WHOLE.observe(total_s, mode)
    if turn.tokens_in or turn.tokens_out:
        model = "chosen by a bot" if turn.bot.settings.llm_model else turn.model.name
        TOKENS.add(model, "in", by=turn.tokens_in)
        TOKENS.add(model, "out", by=turn.tokens_out)
