"""Log the end of a turn as one line for programs (REFDESK_LOG_FORMAT=json); a log for people has none."""

import logging

from app.chat.turns.state import TurnContext

log = logging.getLogger(__name__)


def turn_end_log(turn: TurnContext, state: str) -> None:
    """Log a turn that has ended; its timings are known. cache_hit: whether the question's vector was remembered."""
    if not log.isEnabledFor(logging.INFO):
        return
    fields = {
        "latency_ms": round((turn.timings["total_s"] or 0.0) * 1000, 1),
        "tokens_in": turn.tokens_in,
        "tokens_out": turn.tokens_out,
        "cache_hit": turn.candidates.vector_remembered,
    }
    log.info("answer %s: %s, %s", turn.answer_id, str(turn.mode), str(state), extra={"fields": fields})
