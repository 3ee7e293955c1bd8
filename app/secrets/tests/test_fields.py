"""Forms and schemas accept a credential and show only whether one is set."""

import logging
from typing import Any

import pytest
from django import forms
from pydantic import BaseModel, ValidationError
from selectolax.lexbor import LexborHTMLParser

from app.secrets.fields import Change, SecretField
from app.secrets.schemas import SecretIn
from app.secrets.services import LONGEST

CANARY = "canary-9f2c41d7"


class EndpointForm(forms.Form):
    name = forms.CharField()
    api_key = SecretField(label="API key")


def form_of(*, is_set: bool, data: dict[str, str] | None = None, **more: Any) -> EndpointForm:
    form = EndpointForm(data, **more)
    field = form.fields["api_key"]
    assert isinstance(field, SecretField)
    field.show_state(is_set=is_set)
    return form


@pytest.mark.parametrize(
    ("is_set", "said", "boxes"), [(True, "Set. Leave it empty to keep it.", 1), (False, "Not set.", 0)]
)
def test_a_form_says_whether_a_value_is_set(is_set: bool, said: str, boxes: int) -> None:
    page = form_of(is_set=is_set).as_p()
    assert said in page
    inputs = LexborHTMLParser(page)
    assert len(inputs.css("input[type=checkbox]")) == boxes
    [password] = inputs.css("input[type=password]")
    assert "value" not in password.attributes


@pytest.mark.parametrize(
    ("sent", "cleaned"),
    [
        ({}, Change.KEEP),
        ({"api_key": ""}, Change.KEEP),
        ({"api_key": "   "}, Change.KEEP),
        ({"api_key": f" {CANARY}\n"}, CANARY),
        ({"api_key-remove": "on"}, Change.REMOVE),
        ({"api_key": CANARY, "api_key-remove": "on"}, CANARY),
    ],
)
def test_a_form_keeps_replaces_or_removes_a_value(sent: dict[str, str], cleaned: Any) -> None:
    form = form_of(is_set=True, data={"name": "x", **sent})
    assert form.is_valid()
    assert form.cleaned_data["api_key"] == cleaned
    assert ("api_key" in form.changed_data) is (cleaned is not Change.KEEP)


def test_a_form_with_an_error_does_not_send_the_value_back() -> None:
    for value in (CANARY, CANARY * LONGEST):
        form = form_of(is_set=False, data={"api_key": value})
        assert not form.is_valid()
        assert CANARY not in form.as_p() + form.errors.as_json()
    initial = form_of(is_set=True, initial={"api_key": CANARY})
    assert CANARY not in initial.as_p()


class EndpointIn(BaseModel):
    name: str
    api_key: SecretIn | None = None


def test_a_schema_takes_a_value_and_shows_it_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    given = EndpointIn(name="x", api_key=CANARY)  # type: ignore[arg-type]
    assert given.api_key is not None
    assert given.api_key.get_secret_value() == CANARY
    logging.getLogger("app").info("%s %r %s", given, given, given.model_dump_json())
    assert CANARY not in caplog.text
    described = EndpointIn.model_json_schema()["properties"]["api_key"]["anyOf"][0]
    assert (described["writeOnly"], described["format"]) == (True, "password")


@pytest.mark.parametrize("sent", [{"api_key": ""}, {"api_key": "x" * (LONGEST + 1)}, {"api_key": 5}, {"api_key": {}}])
def test_a_schema_refuses_what_is_no_credential(sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EndpointIn(name="x", **sent)
