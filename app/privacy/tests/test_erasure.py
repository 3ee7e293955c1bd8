"""Erasure of an organisation: no canary word is left in any store, and the other organisation is unchanged."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from app.accounts.models import Organisation, User
from app.audit.models import AuditDetail
from app.library.models import Document
from app.library.tests.stores import stores_agree, stores_empty
from app.privacy.erasure.receipts import receipt_is_ours
from app.privacy.tests.canaries import (
    CANARY,
    empty,
    hits,
    leftovers,
    tenant,
)
from tests.engines import FOLDER
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.snapshot import changes, snapshot

__all__ = ["empty", "tenant"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


def test_an_organisation_is_erased_from_every_store(
    tenant: Tenant, acme: Organisation, alice: Person, charlie: Person
) -> None:
    tenant_make(charlie, word="submarine")
    other = snapshot()
    call_command("organisation_export", "acme", str(FOLDER / "taken.zip"), stderr=io.StringIO())
    (FOLDER / "taken.zip").unlink()
    places = {hit.split()[0] for hit in hits(CANARY)}
    assert places == {"dump:", "valkey", "file"}
    out = io.StringIO()
    call_command("organisation_erase", "acme", "--yes", stdout=out)
    assert hits(CANARY) == []
    assert leftovers(acme) == []
    assert changes(other, snapshot(), but=[str(acme.pk), "box"]) == []
    receipt = json.loads(out.getvalue())
    assert receipt_is_ours(receipt)
    counts = {(store, what): count for store, found in receipt["stores"].items() for what, count in found.items()}
    assert [place for place, count in counts.items() if count["after"]] == []
    for place in (
        ("postgresql", "chat_message"), ("postgresql", "library_chunk"), ("postgresql", "people.accounts"),
        ("postgresql", "audit_details"), ("vectors", "points"), ("files", "documents"), ("files", "page_pictures"),
        ("files", "exports"), ("valkey", "keys"),
        ("postgresql", "secrets_secret"),
    ):  # fmt: skip
        assert counts[place]["before"] > 0, place
    assert not User.objects.filter(pk=alice.user.pk).exists()
    # This document was never indexed, so `stores_agree` would report it.
    Document.objects.filter(organisation=charlie.organisation).delete()
    stores_empty()
    stores_agree()


def test_the_audit_trail_verifies_after_an_erasure(tenant: Tenant, acme: Organisation) -> None:
    call_command("organisation_erase", "acme", "--yes", stdout=io.StringIO())
    assert AuditDetail.objects.filter(organisation=acme.pk).exists()
    call_command("audit_verify", stdout=io.StringIO())


def test_a_receipt_that_somebody_changed_is_not_ours(tenant: Tenant, tmp_path: Path) -> None:
    out = io.StringIO()
    call_command("organisation_erase", "acme", "--yes", stdout=out)
    path = tmp_path / "receipt.json"
    path.write_text(out.getvalue())
    call_command("receipt_verify", str(path), stdout=io.StringIO())
    path.write_text(out.getvalue().replace('"before": 1', '"before": 0', 1))
    with pytest.raises(CommandError, match="somebody changed it"):
        call_command("receipt_verify", str(path), stdout=io.StringIO())


def test_without_yes_nothing_is_erased(tenant: Tenant) -> None:
    before = snapshot()
    with pytest.raises(CommandError, match="--yes"):
        call_command("organisation_erase", "acme", stdout=io.StringIO())
    with pytest.raises(CommandError, match="--yes"):
        call_command("person_erase", "alice@example.org", stdout=io.StringIO())
    assert changes(before, snapshot()) == []
