"""Rewrite the question so that it can be searched without the conversation before it."""

from app.chat.questions import query_make, question_points_back
from app.chat.turns.repository import questions_earlier
from app.chat.turns.state import Step, TurnContext


async def rewrite(turn: TurnContext) -> None:
    turn.query = turn.question
    if turn.request.conversation is not None and question_points_back(turn.question):
        earlier = await questions_earlier(owner=turn.request.owner, conversation=turn.request.conversation)
        turn.query = query_make(question=turn.question, earlier=earlier)
    turn.timings["rewrite_s"] = turn.seconds_since(turn.began)


STEP = Step("rewrite", rewrite)
