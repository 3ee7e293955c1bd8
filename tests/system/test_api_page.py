"""The page of the API: every call is on it, in sentences."""

import re
from urllib.parse import quote

import pytest
from django.test import Client

from app.api_page import CALLS, EXAMPLES, LANGUAGES
from tests.people import Person
from tests.routes import routes

VERBS = [
    "Add",
    "Ask",
    "Change",
    "Create",
    "Delete",
    "Download",
    "End",
    "Erase",
    "List",
    "Make",
    "Move",
    "Put",
    "Rate",
    "Read",
    "Remove",
    "Replace",
    "Return",
    "Revoke",
    "Send",
    "Stop",
    "Upload",
]


def test_every_call_is_summed_up_in_a_sentence_that_begins_with_a_verb() -> None:
    wrong = {}
    for route in routes():
        summary = route.schema["summary"]
        if summary.split()[0].strip(".,") not in VERBS or not summary.endswith(".") or len(summary) > 200:
            wrong[route.name] = summary
    assert wrong == {}


@pytest.mark.django_db
def test_the_page_has_every_call_and_every_example(alice: Person) -> None:
    page = alice.client.get("/api/v1/docs").content.decode()
    for route in routes():
        assert f"<strong>{route.method}</strong> {route.path}</code>" in page, route.name
    for name, title, _ in CALLS:
        assert title in page
        for suffix, _ in LANGUAGES:
            assert (EXAMPLES / f"{name}.{suffix}.txt").is_file()
    assert "unpkg" not in page
    assert not re.search(r'(?:src|href)="https?://', page)


@pytest.mark.django_db
def test_a_visitor_signs_in_first() -> None:
    response = Client().get("/api/v1/docs")
    assert response.status_code == 302
    assert quote("/api/v1/docs") in response["Location"]
