from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.chat.models import Citation, Message
from app.chat.tests.conftest import Desk, text_of
from app.chat.tests.library import WARRANTY, document_index
from app.library.models import Document, Source
from app.llm.tests.fake_llm import Script, ScriptedModel
from tests.documents import document_row
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


async def test_without_a_model_the_answer_is_quoted_cited_and_says_so(desk: Desk, library: Bot, bob: Person) -> None:
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    names = [name for _, name, _ in events]
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert names[:3] == ["start", "step", "sources"]
    assert names[-2:] == ["usage", "done"]
    assert events[0][2]["mode"] == "extractive"
    message = events[-1][2]["message"]
    assert message["mode"] == "extractive"
    assert message["state"] == "done"
    assert message["content"] == text_of(events)
    assert "24 months from delivery" in message["content"]
    (citation, *_) = message["citations"]
    assert citation["passage"]["document"]["name"] == "manual.pdf"
    assert citation["passage"]["place"]["page"] == 1
    quoted = message["content"][citation["start"] : citation["end"]]
    assert quoted.startswith("“The warranty")
    assert quoted.endswith(f"[{citation['n']}]")


async def test_a_model_s_answer_streams_with_resolved_citations(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["It", " is 24 months [", "1", "]. No", "thing else [9", "]."], between_s=0.02))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    names = [name for _, name, _ in events]
    assert names.count("delta") > 2
    assert names.index("citation") < names.index("done")
    message = events[-1][2]["message"]
    assert message["content"] == text_of(events) == "It is 24 months [1]. Nothing else."
    assert (message["mode"], message["model"], message["state"]) == ("model", "scripted", "done")
    assert message["usage"] == {"tokens_in": 100, "tokens_out": 6}
    (citation,) = message["citations"]
    assert (citation["n"], citation["start"], citation["end"]) == (1, 0, 19)
    assert "24 months" in citation["passage"]["text"]
    assert 0 < message["timings"]["first_token_s"] <= message["timings"]["total_s"]


async def test_a_turn_is_recorded_as_it_was_sent(desk: Desk, library: Bot, bob: Person, model: ScriptedModel) -> None:
    model.script(Script(tokens=["So it is [1]."]))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    sent, conversation = events[-1][2]["message"], events[0][2]["conversation"]
    status, page = await desk.json(desk.get(f"/conversations/{conversation}/messages", bob.key))
    assert status == 200
    question, answer = page["items"]
    assert question["role"] == "user"
    assert question["content"] == "How long is the warranty of the Vale 3?"
    for shape in (sent, answer):
        for citation in shape["citations"]:
            citation["passage"].pop("score")  # of the search; a citation keeps the passage only
    assert answer == sent


async def test_what_no_document_holds_is_refused(desk: Desk, library: Bot, bob: Person) -> None:
    events = await desk.ask(bob.key, "Who won the football world cup in 1998?")
    message = events[-1][2]["message"]
    assert message["mode"] == events[0][2]["mode"] == "refused"
    assert message["content"] == "I could not find this in the documents."
    assert message["citations"] == []


async def test_with_no_document_at_all_no_model_is_asked(
    desk: Desk, acme: object, qdrant: str, embedder: str, bob: Person, model: ScriptedModel, desk_bot: Bot
) -> None:
    model.script(Script())
    events = await desk.ask(bob.key, "How long is the warranty?")
    assert events[-1][2]["message"]["mode"] == "refused"
    assert model.requests() == []


async def test_a_model_s_own_refusal_is_marked(desk: Desk, library: Bot, bob: Person, model: ScriptedModel) -> None:
    model.script(Script(tokens=["The passages do not mention ", "a price."]))
    events = await desk.ask(bob.key, "What does the Vale 3 cost?")
    assert events[-1][2]["message"]["mode"] == "refused"


async def test_each_question_has_exactly_one_answer(desk: Desk, library: Bot, bob: Person) -> None:
    first = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    await desk.ask(bob.key, "And descaling?", conversation=first[0][2]["conversation"])
    questions = [row async for row in Message.objects.filter(role="user")]
    answers = [row async for row in Message.objects.filter(role="assistant")]
    assert {row.reply_to_id for row in answers} == {row.pk for row in questions}
    assert len(answers) == 2
    assert await Citation.objects.exclude(message__in=answers).acount() == 0


async def test_a_follow_up_is_searched_with_the_question_before(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["Yes [1]."]))
    first = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    events = await desk.ask(bob.key, "Does it cover limescale?", conversation=first[0][2]["conversation"])
    sources = next(data for _, name, data in events if name == "sources")
    assert "warranty" in sources["passages"][0]["text"]
    roles = [turn["role"] for turn in model.requests()[-1]["body"]["messages"]]
    assert roles == ["system", *["user", "assistant"] * 2, "user"]  # the first pair is the example


async def test_the_whole_turn_as_one_object(desk: Desk, library: Bot, bob: Person, model: ScriptedModel) -> None:
    model.script(Script(tokens=["So it is [1]."]))
    body = {"message": "How long is the warranty?", "stream": False}
    status, turn = await desk.json(desk.post("/bots/default/chat", bob.key, body))
    assert status == 200
    assert turn["message"]["content"] == "So it is [1]."
    assert turn["conversation"]


@pytest.mark.parametrize(("message", "code"), [("", "question_empty"), ("x" * 2001, "question_too_long")])
async def test_a_question_of_the_wrong_length_is_refused(
    desk: Desk, library: Bot, bob: Person, message: str, code: str
) -> None:
    status, error = await desk.json(desk.post("/bots/default/chat", bob.key, {"message": message}))
    assert (status, error["error"]["code"]) == (422, code)


async def test_markers_without_words_are_no_answer(desk: Desk, library: Bot, bob: Person, model: ScriptedModel) -> None:
    model.script(Script(tokens=["[1]", " [2", "]", " ."], between_s=0.02))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    message = events[-1][2]["message"]
    assert (message["mode"], message["state"], message["error"]["code"]) == ("extractive", "done", "model_dropped")
    assert message["content"] == text_of(events)
    assert message["content"].startswith("“The warranty of the Vale 3 is 24 months")


async def test_markers_before_the_first_word_stay(desk: Desk, library: Bot, bob: Person, model: ScriptedModel) -> None:
    model.script(Script(tokens=["[1]", " ", "24", " months."], between_s=0.02))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    message = events[-1][2]["message"]
    assert (message["mode"], message["content"]) == ("model", "[1] 24 months.")
    assert [citation["n"] for citation in message["citations"]] == [1]
    assert text_of(events) == message["content"]


async def test_an_answer_that_cites_nothing_gets_the_sources_that_its_sentences_match(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["It is 24 months", " from delivery. ", "Pigeons are grey."], between_s=0.02))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    names = [name for _, name, _ in events]
    assert names.index("citation") > max(place for place, name in enumerate(names) if name == "delta")
    message = events[-1][2]["message"]
    assert message["mode"] == "model"
    (citation,) = message["citations"]
    assert message["content"][citation["start"] : citation["end"]] == "It is 24 months from delivery."
    assert "24 months" in citation["passage"]["text"]


async def test_an_answer_that_matches_nothing_stays_without_sources(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["It is 36 months and covers pigeons."]))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    message = events[-1][2]["message"]
    assert (message["mode"], message["state"], message["citations"]) == ("model", "done", [])


async def test_a_question_on_another_subject_is_refused_before_the_model_is_asked(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script())
    events = await desk.ask(bob.key, "Who won the football world cup in 1998?")
    assert events[0][2]["mode"] == events[-1][2]["message"]["mode"] == "refused"
    assert model.requests() == []


async def test_a_file_in_two_sources_is_one_passage_of_an_answer(
    desk: Desk, library: Bot, acme: Organisation, bob: Person
) -> None:
    elsewhere = await Source.objects.acreate(organisation=acme, name="Elsewhere")
    await sync_to_async(document_index)(acme, "copy.pdf", [WARRANTY, "The Vale 3 weighs 11 kg."], source=elsewhere)
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    texts = [passage["text"] for passage in events[2][2]["passages"]]
    assert texts.count(WARRANTY) == 1
    assert "The Vale 3 weighs 11 kg." in texts
    assert len(set(texts)) == len(texts)


def document_being_read(organisation: Organisation, state: str, source: Source | None = None) -> Document:
    source = source or Source.objects.get_or_create(organisation=organisation, name="Uploads")[0]
    return document_row(source, "new.pdf", external_id=uuid4().hex, state=state)


async def test_a_refusal_says_how_many_documents_are_still_being_read(
    desk: Desk, library: Bot, acme: Organisation, charlie: Person, bob: Person
) -> None:
    reading = [await sync_to_async(document_being_read)(acme, state) for state in ("queued", "running")]
    for state in ("failed", "cancelled"):
        await sync_to_async(document_being_read)(acme, state)
    await sync_to_async(document_being_read)(charlie.organisation, "queued")
    events = await desk.ask(bob.key, "Who won the football world cup in 1998?")
    message = events[-1][2]["message"]
    assert message["mode"] == "refused"
    assert message["notice"] == {
        "code": "documents_being_read",
        "message": "2 documents are still being read. Ask again in a moment.",
        "count": 2,
    }
    body = {"message": "Who won the football world cup in 1998?", "stream": False}
    _, turn = await desk.json(desk.post("/bots/default/chat", bob.key, body))
    assert turn["message"]["notice"] == message["notice"]
    # The old answer keeps its notice; the next answer has a current one.
    await Document.objects.filter(pk__in=[document.pk for document in reading[:1]]).aupdate(state="ready")
    _, again = await desk.json(desk.get(f"/messages/{message['id']}", bob.key))
    assert again["notice"] == message["notice"]
    events = await desk.ask(bob.key, "Who won the football world cup in 1998?")
    notice = events[-1][2]["message"]["notice"]
    assert (notice["count"], notice["message"]) == (1, "One document is still being read. Ask again in a moment.")


async def test_an_answer_and_a_refusal_after_reading_say_nothing_of_it(
    desk: Desk, library: Bot, acme: Organisation, bob: Person
) -> None:
    refused = await desk.ask(bob.key, "Who won the football world cup in 1998?")
    assert refused[-1][2]["message"]["notice"] is None
    await sync_to_async(document_being_read)(acme, "queued")
    answered = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    assert answered[-1][2]["message"]["mode"] == "extractive"
    assert answered[-1][2]["message"]["notice"] is None


async def test_only_documents_that_the_bot_may_read_are_counted(
    desk: Desk, library: Bot, acme: Organisation, bob: Person
) -> None:
    own, elsewhere = [
        await Source.objects.acreate(organisation=acme, name=name) for name in ("of the bot", "of another")
    ]
    await library.sources.aadd(own, through_defaults={"organisation": acme})
    await sync_to_async(document_being_read)(acme, "queued", elsewhere)
    events = await desk.ask(bob.key, "How long is the warranty?")
    assert events[-1][2]["message"]["notice"] is None
    await sync_to_async(document_being_read)(acme, "running", own)
    events = await desk.ask(bob.key, "How long is the warranty?")
    assert events[-1][2]["message"]["notice"]["count"] == 1


async def test_a_model_s_refusal_tells_of_documents_being_read_too(
    desk: Desk, library: Bot, acme: Organisation, bob: Person, model: ScriptedModel
) -> None:
    await sync_to_async(document_being_read)(acme, "queued")
    model.script(Script(tokens=["The passages do not mention ", "a price."]))
    events = await desk.ask(bob.key, "What does the Vale 3 cost?")
    assert events[-1][2]["message"]["mode"] == "refused"
    assert events[-1][2]["message"]["notice"]["count"] == 1
