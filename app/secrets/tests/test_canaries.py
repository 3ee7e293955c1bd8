"""No credential leaks: canaries are searched in everything that leaves the process."""

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.views.debug import ExceptionReporter

from app.accounts.models import Organisation
from app.errors import RefdeskError
from app.library.tests.stores import stores_empty
from app.llm.models import ModelEndpoint
from app.secrets.models import Secret
from app.secrets.services import secret_delete, secret_read, secret_set, secrets_rotate
from app.secrets.tests.canaries import (
    CANARY,
    admin_responses,
    api_responses,
    error_responses,
    export_content,
    holds,
    logs_kept,
    operator_client,
    portal_responses,
    spellings,
    store_content,
)
from tests.factories import Tenant, tenant_make
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
PURPOSE = "endpoint.api_key"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    with logs_kept() as kept:
        yield kept


@pytest.fixture
def tenant(lines: list[str], alice: Person, qdrant: str, embedder: str, valkey: str) -> Tenant:
    """Make Acme and the deployment with canaries that were set, replaced, read, rotated, moved and deleted."""
    stores_empty()
    made = tenant_make(alice, word="lighthouse")
    for organisation in (alice.organisation.pk, None):
        named = {"organisation": organisation, "purpose": PURPOSE}
        row = secret_set(**named, label="Main model", value=CANARY)
        secret_set(**named, label="Main model", value=f"{CANARY} again", secret=row.pk)
        assert secret_read(**named, secret=row.pk).reveal() == f"{CANARY} again"
        gone = secret_set(**named, label="Another", value=CANARY)
        moved = secret_set(**named, label="A third", value=CANARY)
        Secret.objects.filter(pk=moved.pk).update(sealed=Secret.objects.get(pk=gone.pk).sealed)
        with pytest.raises(RefdeskError):
            secret_read(**named, secret=moved.pk)
        secret_delete(organisation=organisation, secret=gone.pk)
    Secret.objects.filter(pk=row.pk).update(key_id="0" * 12)
    secrets_rotate()
    return made


URL = "https://93.184.215.14/v1"
WRONG: list[dict[str, Any]] = [
    {"name": "a/b", "url": URL, "api_key": CANARY},
    {"name": "x", "url": "http://127.0.0.1/v1", "api_key": CANARY},
    {"name": "x", "url": URL, "api_key": [CANARY]},
    {"name": "x", "url": URL, "api_key": CANARY * 4000},
    {"name": "x", "url": URL, "apikey": CANARY},
]


def entered(alice: Person) -> Iterator[tuple[str, bytes]]:
    """Return the responses to credentials entered rightly and wrongly, by the API and on an admin page."""
    api, page = "/api/v1/endpoints", "/admin/llm/modelendpoint/add/"
    made = alice.client.post(api, {"name": "Main", "url": URL, "api_key": CANARY}, content_type="application/json")
    assert made.status_code == 201
    yield "made", made.content
    place = f"{api}/{made.json()['id']}"
    for body in WRONG:
        refused = alice.client.post(api, body, content_type="application/json")
        yield f"refused {str(body)[:60]}", refused.content
        yield "changed", alice.client.patch(place, body, content_type="application/json").content
        form = {name: str(value) for name, value in body.items()} | {"kind": "openai", "name": "a/b"}
        yield "form", alice.client.post(page, form).content
    yield "broken JSON", alice.client.post(api, f'{{"api_key": "{CANARY}', content_type="application/json").content
    # The request stays inside: the address is an inner one by now.
    ModelEndpoint.objects.update(url="http://127.0.0.1:9/v1")
    yield "tested", alice.client.post(f"{place}/test").content
    yield "models", alice.client.get(f"{place}/models").content


def leaks(places: Iterator[tuple[str, bytes]]) -> list[str]:
    looked = 0
    found = []
    for place, content in places:
        looked += 1
        if holds(content):
            found.append(place)
    assert looked, "nothing was looked at"
    return found


def test_no_page_no_answer_and_no_error_shows_a_credential(tenant: Tenant, alice: Person, lines: list[str]) -> None:
    client = operator_client(alice)
    assert leaks(api_responses(alice, tenant)) == []
    assert leaks(admin_responses(client, tenant)) == []
    assert leaks(portal_responses(alice.client, tenant)) == []
    assert leaks(error_responses(alice)) == []
    assert leaks((line, line.encode()) for line in lines) == []


def test_who_enters_a_credential_does_not_get_it_back(tenant: Tenant, alice: Person, lines: list[str]) -> None:
    assert leaks(entered(alice)) == []
    client = operator_client(alice)
    assert leaks(api_responses(alice, tenant)) == []
    assert leaks(admin_responses(client, tenant)) == []
    assert leaks((line, line.encode()) for line in lines) == []
    assert leaks(store_content()) == []


def test_no_export_holds_a_credential(tenant: Tenant, lines: list[str]) -> None:
    assert leaks(export_content("acme")) == []
    assert leaks((line, line.encode()) for line in lines) == []


def test_no_row_no_job_no_key_of_the_cache_and_no_file_holds_a_credential(tenant: Tenant) -> None:
    assert leaks(store_content()) == []


def test_an_erasure_takes_the_credentials_and_its_receipt_counts_them(
    tenant: Tenant, acme: Organisation, lines: list[str]
) -> None:
    before = Secret.objects.filter(organisation=acme).count()
    out = io.StringIO()
    call_command("organisation_erase", "acme", "--yes", stdout=out)
    receipt = json.loads(out.getvalue())
    assert receipt["stores"]["postgresql"]["secrets_secret"] == {"before": before, "after": 0}
    # The deployment's own credentials stay.
    assert set(Secret.objects.values_list("organisation", flat=True)) == {None}
    assert not holds(out.getvalue().encode())
    assert leaks((line, line.encode()) for line in lines) == []
    assert leaks(store_content()) == []


def test_a_report_of_an_error_shows_no_credential_that_was_at_hand(acme: Organisation) -> None:
    row = secret_set(organisation=acme.pk, purpose=PURPOSE, label="Main model", value=CANARY)

    def ask() -> None:
        value = secret_read(organisation=acme.pk, secret=row.pk, purpose=PURPOSE)
        raise RuntimeError(f"the server refused {value} {[value]!r}")

    try:
        ask()
    except RuntimeError:
        # Contains the local variables of every frame, as an error report does.
        reporter = ExceptionReporter(None, *sys.exc_info())
    texts = [reporter.get_traceback_text(), reporter.get_traceback_html()]
    assert "SecretValue(…)" in texts[0]
    assert [text for text in texts if holds(text.encode())] == []


@pytest.mark.parametrize("place", range(len(spellings(CANARY))))
def test_a_canary_would_be_found_in_any_spelling(place: int) -> None:
    # Shows that the tests above would find a canary.
    assert holds(b"some text " + spellings(CANARY)[place] + b" more text")


def test_a_canary_would_be_found_in_every_store(
    acme: Organisation, alice: Person, valkey: str, qdrant: str, embedder: str, lines: list[str], settings: Any
) -> None:
    from app.privacy.tests.canaries import valkey_client

    stores_empty()
    made = tenant_make(alice, word=CANARY)
    valkey_client().set("found", CANARY)
    (settings.DATA / "found").write_text(CANARY)
    try:
        places = [place.split()[0] for place in leaks(store_content())]
        assert set(places) == {"row", "Valkey", "file"}
        for responses in (api_responses(alice, made), admin_responses(operator_client(alice), made)):
            assert len(leaks(responses)) > 5
        assert len(leaks(export_content("acme"))) > 5
    finally:
        valkey_client().delete("found")
        (settings.DATA / "found").unlink()
