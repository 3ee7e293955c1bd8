"""Extract the answer from the passages' own sentences, quoted, if no model has written anything."""

from app.chat.choices import AnswerMode
from app.chat.extractive import extract_make
from app.chat.turns.state import Step, TurnContext


async def extract(turn: TurnContext) -> None:
    if turn.text:
        return
    excerpt = extract_make(question=turn.question, passages=turn.readable()) if turn.answerable else None
    if excerpt is None:
        turn.refuse()
        return
    turn.mode = AnswerMode.EXTRACTIVE
    turn.write_whole(excerpt.text, excerpt.citations)


STEP = Step("extract", extract)
