"""Model servers on the admin pages: admins manage the organisation's, operators the deployment's; no key is shown."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from app.accounts.models import Organisation, User
from app.llm.models import ModelEndpoint
from app.llm.services import endpoint_create, environment_endpoint_write
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.secrets.models import Secret
from app.secrets.services import secret_read
from tests.people import Person

pytestmark = pytest.mark.django_db
KEY = "sk-canary9f2c41d7credential"
URL = "https://93.184.215.14/v1"
LIST = "/admin/llm/modelendpoint/"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def operator(db: Any, alice: Person) -> Client:
    user = User.objects.create(email="operator@example.org", is_operator=True)
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, place: str, **fields: Any) -> str:
    """Send the form and return the text of the page."""
    sent = {"name": "Main", "kind": "vllm", "url": URL, "served_models": "", "default_model": "", **fields}
    response = client.post(place, sent, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def key_of(row: ModelEndpoint) -> str:
    assert row.credential_id is not None
    named = {"organisation": row.organisation_id, "secret": row.credential_id}
    return secret_read(**named, purpose="model_endpoint.api_key").reveal()


def page_of(row: ModelEndpoint, name: str = "change") -> str:
    return f"{LIST}{row.pk}/{name}/"


def test_an_admin_makes_a_server_whose_key_is_not_shown_again(alice: Person, acme: Organisation) -> None:
    lines = "qwen | 8192 | 0.15 | 0.6 | tools json\nsmall\n\n"
    page = send(alice.client, f"{LIST}add/", api_key=KEY, served_models=lines, default_model="qwen")
    row = ModelEndpoint.objects.get()
    assert (row.organisation, row.name, row.kind, row.url, row.is_default) == (acme, "Main", "vllm", URL, True)
    assert (key_of(row), row.defaults) == (KEY, {"model": "qwen"})
    empty = {"context": None, "price_in": None, "price_out": None, "abilities": []}
    qwen = {"name": "qwen", "context": 8192, "price_in": 0.15, "price_out": 0.6, "abilities": ["tools", "json"]}
    assert row.served_models == [qwen, {"name": "small", **empty}]
    edit = alice.client.get(page_of(row)).content.decode()
    for shown in (page, edit, alice.client.get(LIST).content.decode()):
        assert KEY not in shown
    assert "Set. Leave it empty to keep it." in edit
    assert "qwen | 8192 | 0.15 | 0.6 | tools json" in edit


def test_a_key_is_kept_replaced_removed_and_not_taken_to_another_host(alice: Person) -> None:
    send(alice.client, f"{LIST}add/", api_key=KEY)
    row = ModelEndpoint.objects.get()
    send(alice.client, page_of(row), name="Renamed")
    row.refresh_from_db()
    assert (row.name, key_of(row)) == ("Renamed", KEY)
    page = send(alice.client, page_of(row), url="https://93.184.215.15/v1")
    row.refresh_from_db()
    assert ("Enter the API key again" in page, row.url) == (True, URL)
    send(alice.client, page_of(row), api_key="sk-new", url="https://93.184.215.15/v1")
    row.refresh_from_db()
    assert (row.url, key_of(row)) == ("https://93.184.215.15/v1", "sk-new")
    send(alice.client, page_of(row), url="https://93.184.215.15/v1", **{"api_key-remove": "on"})
    row.refresh_from_db()
    assert (row.credential, Secret.objects.count()) == (None, 0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://127.0.0.1:8000/v1"}, "cannot be used because of its network"),
        ({"url": "http://postgres/v1"}, "cannot be used because of its name"),
        ({"url": "nonsense"}, "must begin with http"),
        ({"name": "a/b"}, "no slash"),
        ({"served_models": "a | many"}, "is no model"),
        ({"served_models": "a | 1 | 1 | 1 | tools | more"}, "is no model"),
        ({"served_models": "a | 1 | 1 | 1 | levitate"}, "is no model"),
        ({"served_models": "a\na"}, "named twice"),
        ({"api_key": KEY * 4000}, "at most 64 kB"),
    ],
)
def test_what_cannot_be_used_is_told_on_the_page_without_the_key(
    alice: Person, fields: dict[str, str], said: str
) -> None:
    page = send(alice.client, f"{LIST}add/", **{"api_key": KEY, **fields})
    assert said in page
    assert KEY not in page
    assert not ModelEndpoint.objects.exists()
    assert not Secret.objects.exists()


def test_members_and_other_organisations_get_nowhere(alice: Person, bob: Person, charlie: Person) -> None:
    send(alice.client, f"{LIST}add/", api_key=KEY)
    row = ModelEndpoint.objects.get()
    for person in (bob, charlie):
        for place in (page_of(row), page_of(row, "delete"), page_of(row, "test")):
            for response in (person.client.get(place), person.client.post(place, {"name": "taken", "post": "yes"})):
                assert response.status_code in (302, 403, 404)
    assert "Main" not in charlie.client.get(LIST).content.decode()
    row.refresh_from_db()
    assert row.name == "Main"


def test_operators_keep_the_deployment_s_servers_and_admins_do_not_see_them(alice: Person, operator: Client) -> None:
    send(operator, f"{LIST}add/", organisation="", url="http://ollama:11434/v1", api_key=KEY, is_default="on")
    row = ModelEndpoint.objects.get()
    assert (row.organisation, row.url, row.is_default, key_of(row)) == (None, "http://ollama:11434/v1", True, KEY)
    assert "The deployment" in operator.get(LIST).content.decode()
    assert "Main" not in alice.client.get(LIST).content.decode()
    assert alice.client.get(page_of(row)).status_code in (302, 404)
    send(alice.client, f"{LIST}add/", organisation="", name="Own")
    assert ModelEndpoint.objects.get(name="Own").organisation == alice.organisation
    operator.post(page_of(row, "delete"), {"post": "yes"})
    assert not ModelEndpoint.objects.filter(pk=row.pk).exists()


def test_the_environment_s_server_is_shown_and_kept_by_the_environment(operator: Client, settings: Any) -> None:
    settings.LLM_URL, settings.LLM_API_KEY = "http://127.0.0.1:9/v1", KEY
    environment_endpoint_write()
    row = ModelEndpoint.objects.get()
    page = operator.get(page_of(row)).content.decode()
    assert "http://127.0.0.1:9/v1" in page
    assert KEY not in page
    assert operator.post(page_of(row), {"name": "taken", "kind": "vllm", "url": URL}).status_code == 403
    assert operator.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.name == "deployment"


def test_the_button_asks_for_one_token_and_shows_what_came_back(
    alice: Person, acme: Organisation, model: ScriptedModel, settings: Any
) -> None:
    settings.EGRESS_ALLOW = "127.0.0.0/8"
    values = {"kind": "openai", "url": model.url, "api_key": KEY, "defaults": {"model": "qwen"}}
    row = endpoint_create(organisation=acme.pk, name="Main", **values)
    model.script(Script(tokens=["OK"]))
    asked = alice.client.get(page_of(row, "test")).content.decode()
    assert ("asked for one token" in asked, model.requests()) == (True, [])
    page = alice.client.post(page_of(row, "test"), follow=True).content.decode()
    assert "Main answers “OK”" in page
    [request] = model.requests()
    assert (request["authorization"], request["body"]["max_tokens"]) == (f"Bearer {KEY}", 1)
    row.refresh_from_db()
    assert row.healthy is True
    model.script(Script(status=401, refusal=f"wrong key {KEY}"))
    page = alice.client.post(page_of(row, "test"), follow=True).content.decode()
    assert "The language model does not answer." in page
    assert KEY not in page
    row.refresh_from_db()
    assert row.healthy is False
