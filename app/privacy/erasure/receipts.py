"""Receipts of erasures: counts of each store before and after, requester and times, signed by the box."""

import hmac
from typing import Any

import orjson
from django.utils.crypto import salted_hmac

from app.audit.chain import canonical
from app.lib.times import time_text
from app.privacy.models import Erasure

SCHEMA = "refdesk.receipt/1"
SALT = "refdesk.erasure.receipt"
STORES = {
    "postgresql": "Database",
    "vectors": "Search index",
    "files": "Files",
    "valkey": "Cache",
}

KEPT = [
    "Entries of the audit trail stay, without their details: ids, times and kinds of changes.",
    "Entries of the usage ledger stay: ids, times and numbers.",
    "This erasure stays: ids and this receipt.",
]
LATER = [
    "PostgreSQL keeps removed rows in its files until they are vacuumed, and in its write-ahead log until that turns.",
    "Backups and exports that were downloaded hold what they held: they are erased by whoever keeps them.",
]
KEPT_OF_PERSON = "Documents that the person uploaded belong to the organisation and stay, without the person's name."


def fingerprint(email: str) -> str:
    """Return a fingerprint of an address: somebody who knows the address can compare it, nobody can read it from it."""
    return salted_hmac(SALT + ".person", email.strip().lower(), algorithm="sha256").hexdigest()


def receipt_make(erasure: Erasure, *, before: dict[str, Any], after: dict[str, Any], finished: Any) -> dict[str, Any]:
    """Make the signed receipt. before, after: store → kind → number."""
    stores = {
        store: {what: {"before": count, "after": after[store][what]} for what, count in counts.items()}
        for store, counts in before.items()
    }
    whole = erasure.kind == "organisation"
    receipt = {
        "schema": SCHEMA,
        "id": str(erasure.pk),
        "kind": erasure.kind,
        "subject": str(erasure.subject),
        "organisation": str(erasure.organisation_id) if erasure.organisation_id else None,
        "person_fingerprint": fingerprint(erasure.targets["email"]) if erasure.targets.get("email") else None,
        "asked_by": {"kind": erasure.asked_by_kind, "id": str(erasure.asked_by) if erasure.asked_by else None},
        "asked": time_text(erasure.created),
        "finished": time_text(finished),
        "stores": stores,
        "kept": [*KEPT, *([] if whole else [KEPT_OF_PERSON])],
        "later": LATER,
    }
    return {**receipt, "signature": _signature(receipt)}


def receipt_counts(receipt: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """Return (store, kind of entry, before, after) of everything that was looked for, store by store."""
    # PostgreSQL keeps the names of a JSON object in an order of its own.
    stores = receipt["stores"]
    order = [*(store for store in STORES if store in stores), *(store for store in stores if store not in STORES)]
    return [
        (STORES.get(store, store), _kind(kind), stores[store][kind]["before"], stores[store][kind]["after"])
        for store in order
        for kind in sorted(stores[store])
    ]


def _kind(name: str) -> str:
    """Return the name of a count in words; those of an organisation's people begin with `people.`."""
    if name.startswith("people."):
        return f"{_kind(name.removeprefix('people.'))}, of people who were here only"
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def receipt_is_ours(receipt: dict[str, Any]) -> bool:
    """Return whether this box made the receipt and nothing in it was changed."""
    told = {name: value for name, value in receipt.items() if name != "signature"}
    return hmac.compare_digest(_signature(told), str(receipt.get("signature", "")))


def _signature(receipt: dict[str, Any]) -> str:
    return salted_hmac(SALT, canonical(receipt), algorithm="sha256").hexdigest()


def receipt_text(receipt: dict[str, Any]) -> str:
    """Return a receipt as text for a person."""
    return orjson.dumps(receipt, option=orjson.OPT_INDENT_2).decode()
