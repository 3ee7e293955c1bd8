"""The choice of the server: an organisation's own before the deployment's, and never another organisation's."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, transaction

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.bots.services import bot_update
from app.chat.tests.conftest import Desk, desk, library, text_of
from app.errors import Upstream
from app.lib.tenancy import organisations_visible
from app.llm import routing
from app.llm.endpoint import Endpoint
from app.llm.models import ModelEndpoint
from app.llm.routing import endpoint_choose, endpoints_forget
from app.llm.services import endpoint_create, endpoint_delete, endpoint_update, environment_endpoint_write
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.secrets.models import Secret
from app.secrets.services import secrets_rotate
from tests.people import Person

__all__ = ["desk", "library"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)
PUBLIC = "https://93.184.215.14"
ENVIRONMENT = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture(autouse=True)
def _nothing_known(settings: Any) -> Iterator[None]:
    settings.LLM_URL, settings.LLM_MODEL, settings.LLM_API_KEY = ENVIRONMENT, "of-the-environment", "sk-environment"
    endpoints_forget()
    yield
    endpoints_forget()


async def make(organisation: Organisation | None, name: str, **more: Any) -> ModelEndpoint:
    values = {"kind": "openai", "url": f"{PUBLIC}/{name}/v1", "api_key": f"sk-{name}"} | more
    owner = None if organisation is None else organisation.pk
    return await sync_to_async(endpoint_create)(organisation=owner, name=name, **values)


async def chosen(organisation: Organisation, wanted: str = "") -> Endpoint:
    with organisations_visible(organisation.pk):
        endpoint = await endpoint_choose(organisation=organisation.pk, wanted=wanted)
    assert endpoint is not None
    return endpoint


async def answers(organisation: Organisation, wanted: str = "") -> tuple[str, str, str]:
    endpoint = await chosen(organisation, wanted)
    return endpoint.url.removeprefix(PUBLIC), endpoint.model, endpoint.api_key


FROM_ENVIRONMENT = (ENVIRONMENT, "of-the-environment", "sk-environment")


async def test_without_a_server_of_its_own_the_deployment_s_answers(acme: Organisation, settings: Any) -> None:
    assert await answers(acme) == FROM_ENVIRONMENT
    assert await answers(acme, "another") == (ENVIRONMENT, "another", "sk-environment")
    await make(None, "spare")
    endpoints_forget()
    assert await answers(acme) == FROM_ENVIRONMENT
    await make(None, "shared", is_default=True, defaults={"model": "qwen"})
    assert await answers(acme) == ("/shared/v1", "qwen", "sk-shared")
    settings.LLM_URL = ""
    assert await answers(acme) == ("/shared/v1", "qwen", "sk-shared")


async def test_without_any_server_there_is_none(acme: Organisation, settings: Any) -> None:
    settings.LLM_URL = ""
    with organisations_visible(acme.pk):
        assert await endpoint_choose(organisation=acme.pk) is None


async def test_the_default_of_an_organisation_answers_its_own_questions_only(
    acme: Organisation, other: Organisation
) -> None:
    await make(None, "shared", is_default=True)
    await make(acme, "own", defaults={"model": "qwen"})
    await make(acme, "second")
    assert await answers(acme) == ("/own/v1", "qwen", "sk-own")
    assert await answers(acme, "large") == ("/own/v1", "large", "sk-own")
    assert (await answers(other))[0] == "/shared/v1"


async def test_a_bot_names_an_endpoint_and_a_model(acme: Organisation, other: Organisation) -> None:
    for organisation, name in ((acme, "own"), (acme, "second"), (None, "shared"), (other, "theirs")):
        await make(organisation, name)
    await sync_to_async(environment_endpoint_write)()
    endpoints_forget()
    assert await answers(acme, "second/qwen") == ("/second/v1", "qwen", "sk-second")
    assert await answers(acme, "shared/Qwen/Qwen2.5-7B") == ("/shared/v1", "Qwen/Qwen2.5-7B", "sk-shared")
    assert await answers(acme, "deployment/small") == (ENVIRONMENT, "small", "sk-environment")
    # Many models' names contain a slash; another organisation's server name is not recognised.
    assert await answers(acme, "Qwen/Qwen2.5-7B") == ("/own/v1", "Qwen/Qwen2.5-7B", "sk-own")
    assert await answers(acme, "theirs/qwen") == ("/own/v1", "theirs/qwen", "sk-own")
    assert await answers(acme, "second/") == ("/own/v1", "second/", "sk-own")


async def test_its_own_name_goes_before_the_deployment_s(acme: Organisation, other: Organisation) -> None:
    await make(None, "main", url="http://127.0.0.1:9/v1")
    await make(acme, "main", is_default=False)
    assert (await answers(acme, "main/x"))[0] == "/main/v1"
    assert (await answers(other, "main/x"))[0] == "http://127.0.0.1:9/v1"


async def test_what_people_enter_is_guarded_and_what_operators_enter_is_not(
    acme: Organisation, other: Organisation
) -> None:
    await make(acme, "own")
    await make(None, "shared", url="http://127.0.0.1:9/v1", is_default=True)
    assert ((await chosen(acme)).guarded, (await chosen(other)).guarded) == (True, False)


async def test_a_change_is_seen_at_once_and_what_was_learnt_stays_otherwise(acme: Organisation) -> None:
    row = await make(acme, "own")
    first = await chosen(acme)
    first.learnt.refused.add("stream_options")
    routing._routes.clear()
    assert (await chosen(acme)).learnt is first.learnt
    changes = {"api_key": "sk-new", "defaults": {"model": "new"}}
    await sync_to_async(endpoint_update)(organisation=acme.pk, endpoint=row.pk, changes=changes)
    assert await answers(acme) == ("/own/v1", "new", "sk-new")
    assert (await chosen(acme)).learnt.refused == set()
    await sync_to_async(endpoint_delete)(organisation=acme.pk, endpoint=row.pk)
    assert await answers(acme) == FROM_ENVIRONMENT


async def test_an_unreadable_key_stops_its_own_server_only(acme: Organisation, settings: Any) -> None:
    row = await make(acme, "own")
    await make(acme, "second")
    await Secret.objects.filter(pk=row.credential_id).aupdate(key_id="0" * 12)
    with pytest.raises(Upstream, match="secret_unreadable"):
        await chosen(acme)
    assert (await answers(acme, "second/x"))[2] == "sk-second"
    settings.SECRETS_KEYS = ""
    endpoints_forget()
    with pytest.raises(Upstream, match="secrets_key_missing"):
        await chosen(acme)


async def test_a_rotated_key_of_the_deployment_opens_the_same_servers(acme: Organisation, settings: Any) -> None:
    await make(acme, "own")
    settings.SECRETS_KEYS = f"a-new-key-of-more-than-thirty-two-letters,{settings.SECRETS_KEYS}"
    await sync_to_async(secrets_rotate)()
    endpoints_forget()
    assert (await answers(acme))[2] == "sk-own"


async def test_a_turn_is_answered_by_the_organisation_s_own_server(
    desk: Desk, library: Bot, bob: Person, acme: Organisation, model: ScriptedModel, settings: Any
) -> None:
    settings.EGRESS_ALLOW = "127.0.0.0/8"
    await make(acme, "own", url=model.url, defaults={"model": "qwen"})
    model.script(Script(tokens=["The warranty is 24 months [1]."]))
    events = await desk.ask(bob.key, "How long is the warranty of the Vale 3?")
    assert text_of(events) == "The warranty is 24 months [1]."
    [request] = model.requests()
    assert (request["authorization"], request["body"]["model"]) == ("Bearer sk-own", "qwen")
    await sync_to_async(bot_update)(organisation=acme.pk, bot=library, settings={"llm_model": "own/large"})
    model.script(Script(tokens=["24 months [1]."]))
    await desk.ask(bob.key, "And the warranty of the Vale 3 again?")
    assert [request["body"]["model"] for request in model.requests()] == ["large"]


@pytest.mark.parametrize("why", ["address_refused", "secret_unreadable"])
async def test_a_server_that_may_not_be_asked_leaves_an_answer_from_the_documents(
    desk: Desk, library: Bot, bob: Person, acme: Organisation, model: ScriptedModel, settings: Any, why: str
) -> None:
    settings.EGRESS_ALLOW = "127.0.0.0/8"
    row = await make(acme, "own", url=model.url)
    model.script(Script())
    if why == "address_refused":
        settings.EGRESS_ALLOW = ""
    else:
        await Secret.objects.filter(pk=row.credential_id).aupdate(key_id="0" * 12)
    message = (await desk.ask(bob.key, "How long is the warranty of the Vale 3?"))[-1][2]["message"]
    assert (message["mode"], message["error"]["code"]) == ("extractive", why)
    assert model.requests() == []


@pytest.fixture
def rows(acme: Organisation, other: Organisation) -> None:
    for owner, name in ((acme.pk, "own"), (other.pk, "theirs"), (None, "shared")):
        endpoint_create(organisation=owner, name=name, kind="openai", url=f"{PUBLIC}/v1", api_key="sk")


def seen() -> set[str]:
    return set(ModelEndpoint.objects.values_list("name", flat=True))


@pytest.mark.usefixtures("rows")
def test_the_database_shows_the_deployment_s_rows_in_every_scope_and_lets_none_change_them(
    acme: Organisation, other: Organisation
) -> None:
    shared = ModelEndpoint.objects.get(name="shared")
    with organisations_visible(acme.pk):
        assert seen() == {"own", "shared"}
        assert ModelEndpoint.objects.filter(pk=shared.pk).update(name="taken") == 0
        assert ModelEndpoint.objects.filter(pk=shared.pk).delete()[0] == 0
        with transaction.atomic():
            assert not ModelEndpoint.objects.select_for_update().filter(pk=shared.pk).exists()
        for row in (ModelEndpoint(name="planted"), ModelEndpoint(name="planted", organisation=other)):
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                row.save()
        own = ModelEndpoint.objects.get(name="own")
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            ModelEndpoint.objects.filter(pk=own.pk).update(organisation=None)
        # The shared server's key is not visible to an organisation.
        assert not Secret.objects.filter(pk=shared.credential_id).exists()
    with organisations_visible(other.pk):
        assert seen() == {"theirs", "shared"}
    with organisations_visible():
        assert seen() == set()
    assert seen() == {"own", "theirs", "shared"}


@pytest.mark.usefixtures("rows")
def test_an_organisation_has_one_default_and_each_name_once(acme: Organisation) -> None:
    for owner in (acme, None):
        for number in range(2):
            ModelEndpoint.objects.create(organisation=owner, name=f"more {number}")
        rows = ModelEndpoint.objects.filter(organisation=owner)
        with pytest.raises(DatabaseError, match="model_endpoint_one_default"), transaction.atomic():
            rows.update(is_default=True)
        with pytest.raises(DatabaseError, match="model_endpoint_name_unique"), transaction.atomic():
            rows.update(name="same")


def test_the_environment_makes_the_deployment_s_first_server_and_follows_it(settings: Any) -> None:
    def rows() -> list[tuple[Any, ...]]:
        columns = ("name", "organisation", "url", "defaults", "credential", "is_default", "from_environment")
        return list(ModelEndpoint.objects.values_list(*columns))

    environment_endpoint_write()
    made = ("deployment", None, ENVIRONMENT, {"model": "of-the-environment"}, None, False, True)
    assert rows() == [made]
    settings.LLM_MODEL = "another"
    environment_endpoint_write()
    assert rows() == [(*made[:3], {"model": "another"}, *made[4:])]
    settings.LLM_URL = ""
    environment_endpoint_write()
    assert rows() == []


def test_a_name_that_an_operator_took_before_stays_theirs(settings: Any) -> None:
    endpoint_create(organisation=None, name="deployment", kind="vllm", url="http://vllm:8000/v1")
    environment_endpoint_write()
    named = dict(ModelEndpoint.objects.values_list("from_environment", "name"))
    assert named == {False: "deployment", True: "deployment (environment)"}


async def test_the_web_process_writes_the_environment_s_server_down_when_it_starts(desk: Desk, settings: Any) -> None:
    assert [row.url async for row in ModelEndpoint.objects.filter(from_environment=True)] == [ENVIRONMENT]


def test_the_environment_s_key_stays_out_of_the_database() -> None:
    environment_endpoint_write()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM llm_modelendpoint t WHERE t::text LIKE '%sk-environment%'")
        assert cursor.fetchone()[0] == 0
    assert not Secret.objects.exists()
