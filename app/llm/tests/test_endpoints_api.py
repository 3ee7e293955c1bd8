"""Model servers in the API: managed by an organisation's admins, not usable by others, their keys never shown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.accounts.models import Organisation
from app.audit.models import AuditEntry
from app.llm.models import ModelEndpoint
from app.llm.services import endpoint_create
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.llm.waiting import one_of_few
from app.secrets.models import Secret
from app.secrets.services import secret_read
from tests.people import Person

pytestmark = pytest.mark.django_db
KEY = "sk-canary9f2c41d7credential"
URL = "https://93.184.215.14/v1"
PLACE = "/api/v1/endpoints"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def allowed(settings: Any) -> None:
    settings.EGRESS_ALLOW = "127.0.0.0/8"


def call(person: Person, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
    response = person.client.generic(
        method, f"{PLACE}{path}", json.dumps(body) if body is not None else "", content_type="application/json"
    )
    return response.status_code, json.loads(response.content) if response.content else None


def make(person: Person, **body: Any) -> dict[str, Any]:
    status, made = call(person, "POST", body={"name": "Main", "url": URL, **body})
    assert status == 201, made
    return made  # type: ignore[no-any-return]


def key_of(endpoint: str) -> str | None:
    row = ModelEndpoint.objects.get(pk=endpoint)
    if row.credential_id is None:
        return None
    named = {"organisation": row.organisation_id, "secret": row.credential_id}
    return secret_read(**named, purpose="model_endpoint.api_key").reveal()


def test_a_server_is_made_and_shown_without_its_key(alice: Person) -> None:
    models = [{"name": "qwen", "context": 8192, "price_in": 0.15, "price_out": 0.6, "abilities": ["tools"]}]
    made = make(alice, kind="vllm", api_key=KEY, models=models, defaults={"model": "qwen"})
    assert KEY not in json.dumps(made)
    shown = {
        "organisation": str(alice.organisation.pk), "name": "Main", "kind": "vllm", "url": URL, "api_key_set": True,
        "models": models, "defaults": {"model": "qwen"}, "is_default": True, "learnt": {}, "healthy": None,
    }  # fmt: skip
    assert {name: made[name] for name in shown} == shown
    assert call(alice, "GET", f"/{made['id']}") == (200, made)
    assert call(alice, "GET")[1] == {"items": [made], "next": None}
    assert key_of(made["id"]) == KEY


def test_the_first_server_answers_by_default_and_another_takes_its_place(alice: Person) -> None:
    first, second = make(alice), make(alice, name="Second")
    assert (first["is_default"], second["is_default"]) == (True, False)
    assert call(alice, "PATCH", f"/{second['id']}", {"is_default": True})[1]["is_default"]
    assert not call(alice, "GET", f"/{first['id']}")[1]["is_default"]


def test_a_key_is_kept_replaced_and_removed(alice: Person) -> None:
    place = f"/{make(alice, api_key=KEY)['id']}"
    assert call(alice, "PATCH", place, {"name": "Renamed"})[1]["api_key_set"]
    assert key_of(place[1:]) == KEY
    assert call(alice, "PATCH", place, {"api_key": "another"})[0] == 200
    assert (key_of(place[1:]), Secret.objects.count()) == ("another", 1)
    changed = call(alice, "PATCH", place, {"api_key": None})[1]
    assert (changed["api_key_set"], Secret.objects.count()) == (False, 0)
    call(alice, "PATCH", place, {"api_key": KEY})
    assert call(alice, "DELETE", place) == (204, None)
    assert not Secret.objects.exists()


@pytest.mark.parametrize("url", ["https://93.184.215.15/v1", "http://93.184.215.14/v1", "https://93.184.215.14:443/v2"])
def test_a_key_is_not_sent_to_another_server_than_it_was_entered_for(alice: Person, url: str) -> None:
    place = f"/{make(alice, api_key=KEY)['id']}"
    status, refused = call(alice, "PATCH", place, {"url": url})
    assert (status, "API key again" in refused["error"]["message"]) == (422, True)
    assert call(alice, "GET", place)[1]["url"] == URL
    assert call(alice, "PATCH", place, {"url": url, "api_key": "of the other"})[0] == 200
    assert key_of(place[1:]) == "of the other"


def test_another_path_of_the_same_server_keeps_the_key(alice: Person) -> None:
    place = f"/{make(alice, api_key=KEY)['id']}"
    assert call(alice, "PATCH", place, {"url": "https://93.184.215.14/openai/v1/"})[1]["url"].endswith("/openai/v1")
    assert key_of(place[1:]) == KEY


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://postgres:5432", "http://169.254.169.254/latest",
            "http://[::1]/v1", "http://10.0.0.8/v1", "http://2130706433/v1"]
)  # fmt: skip
def test_an_inner_address_is_refused_however_it_comes(alice: Person, url: str) -> None:
    status, refused = call(alice, "POST", body={"name": "Main", "url": url})
    assert (status, refused["error"]["code"]) == (422, "address_refused")
    place = f"/{make(alice)['id']}"
    assert call(alice, "PATCH", place, {"url": url})[1]["error"]["code"] == "address_refused"
    # An address written directly into the table is also refused when it is requested.
    ModelEndpoint.objects.update(url=url)
    tried = call(alice, "POST", f"{place}/test")[1]
    assert (tried["ok"], tried["error"]["code"]) == (False, "address_refused")
    assert call(alice, "GET", f"{place}/models")[1]["error"]["code"] == "address_refused"


def test_an_address_that_an_operator_allows_is_taken(alice: Person, settings: Any) -> None:
    settings.EGRESS_ALLOW = "models:8000"
    assert make(alice, url="http://models:8000/v1")["url"] == "http://models:8000/v1"
    assert call(alice, "POST", body={"name": "Other", "url": "http://models:8001/v1"})[0] == 422


WRONG: dict[str, dict[str, Any]] = {
    "a name with a slash": {"name": "a/b"},
    "an empty name": {"name": ""},
    "a kind that there is not": {"kind": "telepathy"},
    "an address without a host": {"url": "https:///v1"},
    "an address with a query": {"url": f"{URL}?key={KEY}"},
    "credentials in the address": {"url": f"https://user:{KEY}@93.184.215.14/v1"},
    "another scheme": {"url": "ftp://93.184.215.14/v1"},
    "a model twice": {"models": [{"name": "a"}, {"name": "a"}]},
    "a model with another field": {"models": [{"name": "a", "owner": "x"}]},
    "an ability that there is not": {"models": [{"name": "a", "abilities": ["levitate"]}]},
    "a context of no tokens": {"models": [{"name": "a", "context": 0}]},
    "a negative price": {"models": [{"name": "a", "price_in": -1}]},
    "a key that is no text": {"api_key": {"key": KEY}},
    "a key in a list": {"api_key": [KEY]},
    "an empty key": {"api_key": ""},
    "an empty key with signs": {"api_key": "  "},
    "a key that is too long": {"api_key": KEY * 4000},
    "a column of the table": {"credential": KEY},
    "another organisation": {"organisation": KEY},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_used_is_refused_and_never_repeated(alice: Person, what: str) -> None:
    body = {"name": "Main", "url": URL, "api_key": KEY, **WRONG[what]}
    status, refused = call(alice, "POST", body=body)
    assert (status, refused["error"]["code"]) in ((422, "invalid_request"), (422, "address_refused"))
    assert KEY not in json.dumps(refused)
    assert not ModelEndpoint.objects.exists()
    assert not Secret.objects.exists()
    place = f"/{make(alice)['id']}"
    status, refused = call(alice, "PATCH", place, WRONG[what])
    assert status == 422
    assert KEY not in json.dumps(refused)


def test_a_name_is_given_once_in_an_organisation(alice: Person, charlie: Person) -> None:
    make(alice)
    second = make(alice, name="Second")
    for method, path, body in (
        ("POST", "", {"name": "Main", "url": URL}),
        ("PATCH", f"/{second['id']}", {"name": "Main"}),
    ):
        assert call(alice, method, path, body)[1]["error"]["code"] == "conflict"
    make(charlie)


def routes(endpoint: str) -> list[tuple[str, str, Any]]:
    place = f"/{endpoint}"
    return [
        ("GET", place, None), ("PATCH", place, {"name": "taken"}), ("DELETE", place, None),
        ("POST", f"{place}/test", None), ("GET", f"{place}/models", None),
    ]  # fmt: skip


def test_members_below_admins_are_refused_and_other_organisations_find_nothing(
    alice: Person, bob: Person, charlie: Person
) -> None:
    made = make(alice, api_key=KEY)
    for method, path, body in [*routes(made["id"]), ("GET", "", None), ("POST", "", {"name": "x", "url": URL})]:
        assert call(bob, method, path, body)[0] == 403, (method, path)
    for method, path, body in routes(made["id"]):
        assert call(charlie, method, path, body)[0] == 404, (method, path)
    assert call(charlie, "GET")[1]["items"] == []
    assert call(alice, "GET", f"/{made['id']}") == (200, made)


@pytest.fixture
def shared(db: Any) -> ModelEndpoint:
    return endpoint_create(organisation=None, name="Shared", kind="ollama", url="http://ollama:11434/v1", api_key=KEY)


def test_the_deployment_s_server_is_seen_by_every_organisation_and_changed_by_none(
    alice: Person, charlie: Person, shared: ModelEndpoint
) -> None:
    for person in (alice, charlie):
        [shown] = call(person, "GET")[1]["items"]
        assert (shown["id"], shown["name"], shown["organisation"]) == (str(shared.pk), "Shared", None)
        assert (shown["url"], shown["api_key_set"], shown["learnt"]) == (None, True, {})
        for method, path, body in routes(str(shared.pk))[1:3]:
            assert call(person, method, path, body)[1]["error"]["code"] == "not_allowed"
    shared.refresh_from_db()
    assert (shared.name, shared.url) == ("Shared", "http://ollama:11434/v1")


def test_a_test_asks_for_one_token_with_the_key_and_shows_what_came_back(
    alice: Person, model: ScriptedModel, allowed: None
) -> None:
    model.script(Script(tokens=["OK"], context=8192, slots=4))
    place = f"/{make(alice, url=model.url, api_key=KEY, defaults={'model': 'qwen'})['id']}"
    status, tried = call(alice, "POST", f"{place}/test")
    assert (status, tried["ok"], tried["text"], tried["model"], tried["error"]) == (200, True, "OK", "qwen", None)
    assert 0 < tried["took_s"] < 30
    [request] = model.requests()
    assert (request["body"]["max_tokens"], request["body"]["model"]) == (1, "qwen")
    assert request["authorization"] == f"Bearer {KEY}"
    row = call(alice, "GET", place)[1]
    assert (row["healthy"], row["learnt"]) == (True, {"context": 8192, "slots": 4, "refused": []})
    changed = call(alice, "PATCH", place, {"kind": "vllm"})[1]
    assert (changed["healthy"], changed["learnt"]) == (None, {})


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(status=401, refusal=f"wrong key {KEY}"), "model_unavailable"),
        (Script(status=404, refusal="the model is not here"), "model_missing"),
        (Script(status=429), "model_busy"),
        (Script(tokens=["OK"], fault="malformed"), "model_dropped"),
        (Script(tokens=["OK"], fault="error"), "model_dropped"),
        (Script(models=[{"id": "x"}], models_status=500, status=500), "model_unavailable"),
    ],
)
def test_a_test_that_fails_says_why_in_words_of_ours(
    alice: Person, model: ScriptedModel, allowed: None, script: Script, code: str
) -> None:
    model.script(script)
    place = f"/{make(alice, url=model.url, api_key=KEY, defaults={'model': 'qwen'})['id']}"
    status, tried = call(alice, "POST", f"{place}/test")
    assert (status, tried["ok"], tried["text"], tried["error"]["code"]) == (200, False, None, code)
    assert tried["error"]["hint"]
    assert KEY not in json.dumps(tried)
    assert call(alice, "GET", place)[1]["healthy"] is False


def test_a_server_without_a_list_of_models_is_tested_by_its_named_model(
    alice: Person, model: ScriptedModel, allowed: None
) -> None:
    model.script(Script(tokens=["OK"], models_status=404))
    place = f"/{make(alice, url=model.url, models=[{'name': 'qwen'}])['id']}"
    tried = call(alice, "POST", f"{place}/test")[1]
    assert (tried["ok"], tried["model"]) == (True, "qwen")


def test_a_server_that_nobody_serves_fails_its_test(alice: Person, settings: Any) -> None:
    settings.EGRESS_ALLOW = "127.0.0.0/8"
    place = f"/{make(alice, url='http://127.0.0.1:9/v1')['id']}"
    assert call(alice, "POST", f"{place}/test")[1]["error"]["code"] == "model_unavailable"


def test_an_unreadable_key_is_told_and_can_be_entered_again(alice: Person, model: ScriptedModel, allowed: None) -> None:
    model.script(Script(tokens=["OK"]))
    place = f"/{make(alice, url=model.url, api_key=KEY)['id']}"
    Secret.objects.update(key_id="0" * 12)
    assert call(alice, "POST", f"{place}/test")[1]["error"]["code"] == "secret_unreadable"
    assert call(alice, "GET", f"{place}/models")[1]["error"]["code"] == "secret_unreadable"
    call(alice, "PATCH", place, {"api_key": KEY})
    assert call(alice, "POST", f"{place}/test")[1]["ok"]


def test_an_organisation_waits_for_two_servers_at_once_at_most(
    alice: Person, charlie: Person, model: ScriptedModel, allowed: None
) -> None:
    model.script(Script(tokens=["OK"]))
    hers, theirs = (f"/{make(person, url=model.url)['id']}/test" for person in (alice, charlie))
    with one_of_few(alice.organisation.pk), one_of_few(alice.organisation.pk):
        for method, path in (("POST", hers), ("POST", "")):
            status, refused = call(alice, method, path, {"name": "x", "url": URL})
            assert (path, status, refused["error"]["code"]) == (path, 429, "too_many_requests")
        assert call(charlie, "POST", theirs)[1]["ok"]
    assert call(alice, "POST", hers)[1]["ok"]


def test_models_are_those_that_are_written_down_and_those_that_the_server_lists(
    alice: Person, model: ScriptedModel, allowed: None
) -> None:
    model.script(Script(models=[{"id": "qwen", "max_model_len": 4096}, {"id": "new", "max_model_len": 100}]))
    written = [{"name": "qwen", "price_in": 0.5}, {"name": "gone", "context": 10}]
    place = f"/{make(alice, url=model.url, models=written)['id']}"
    status, found = call(alice, "GET", f"{place}/models")
    shown = [(each["name"], each["context"], each["price_in"], each["served"]) for each in found["items"]]
    assert (status, found["error"]) == (200, None)
    assert shown == [("qwen", 4096, 0.5, True), ("gone", 10, None, False), ("new", 100, None, True)]
    model.script(Script(models_status=500))
    found = call(alice, "GET", f"{place}/models")[1]
    assert [(each["name"], each["served"]) for each in found["items"]] == [("qwen", None), ("gone", None)]
    assert found["error"]["code"] == "model_unavailable"


def test_changes_are_in_the_audit_trail_without_the_key(alice: Person, acme: Organisation) -> None:
    place = f"/{make(alice, api_key=KEY)['id']}"
    call(alice, "PATCH", place, {"api_key": "sk-another", "name": "Renamed"})
    call(alice, "DELETE", place)
    entries = AuditEntry.objects.filter(organisation=acme, target_kind__in=["endpoint", "secret"]).order_by("number")
    assert list(entries.values_list("action", flat=True)) == [
        "secret.set", "endpoint.create", "secret.set", "endpoint.update", "secret.delete", "endpoint.delete"
    ]  # fmt: skip
    details = json.dumps([entry.detail.content for entry in entries])
    assert "Renamed" in details
    assert "sk-" not in details
