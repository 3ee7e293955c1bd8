"""Verify a model's answer without citations: a refusal in the model's own words, or sentences to be attributed."""

from app.chat.attribution import answer_attribute
from app.chat.choices import AnswerMode
from app.chat.prompts import is_refusal
from app.chat.turns.state import Step, TurnContext


async def verify(turn: TurnContext) -> None:
    if turn.mode != AnswerMode.MODEL or turn.citations:
        return
    if is_refusal(answer=turn.text, refusal_text=turn.bot.settings.refusal_text):
        turn.mode = AnswerMode.REFUSED
    else:
        turn.write(answer_attribute(answer=turn.text, question=turn.question, passages=turn.readable()))


STEP = Step("verify", verify)
