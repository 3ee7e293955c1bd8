"""Archives that are not ours, damaged or made to harm: refused, and nothing of them stays."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from app.accounts.models import ClaimRule, Organisation, User
from app.errors import RefdeskError
from app.library.tests.stores import stores_agree, stores_empty
from app.privacy.imports.run import organisation_import
from app.privacy.tests.archives import MANUAL, archive, changed, empty, library, put, rows_changed
from tests.snapshot import changes, snapshot

__all__ = ["archive", "empty", "library"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


def rule(claim: str, value: str) -> Callable[[dict[str, bytes]], None]:
    return put("claim_rules.jsonl", json.dumps({"claim": claim, "value": value, "role": "owner"}).encode() + b"\n")


SOMEBODY = "01930000-0000-7000-8000-000000000000"
HOSTILE: dict[str, Callable[[dict[str, bytes]], None]] = {
    "a path out of the folder": put("../../evil.txt", b"x"),
    "an absolute path": put("/etc/passwd", b"x"),
    "a part that nothing lists": put("evil.jsonl", b"{}\n"),
    "a bomb": put("files/" + "0" * 64, b"\0" * 90_000_000),
    "a file that no document names": put("files/" + "1" * 64, b"other"),
    "a file under a wrong digest": put(f"files/{hashlib.sha256(MANUAL).hexdigest()}.md", b"other"),
    "another schema": put("manifest.json", b'{"schema": "refdesk.export/9"}'),
    "no manifest": lambda parts: parts.pop("manifest.json") and None,
    "a manifest that is a list": put("manifest.json", b"[]"),
    "a line that is not JSON": put("bots.jsonl", b"nonsense\n"),
    "a column that nobody knows": rows_changed("people", is_operator=True),
    "a role that there is not": rows_changed("people", role="operator"),
    "a document inside one that is not in it": rows_changed("documents", parent=SOMEBODY),
    "passages of a document that is not in it": rows_changed("chunks", document=SOMEBODY),
    "a conversation with a bot that is not in it": rows_changed("conversations", bot=SOMEBODY),
    "a message of a conversation that is not in it": rows_changed("messages", conversation=SOMEBODY),
    "NUL in a text": rows_changed("messages", content="a\0b"),
    "half a surrogate": put("sources.jsonl", b'{"name": "\\ud800"}\n'),
    "two organisations": lambda parts: parts.update({"organisation.jsonl": parts["organisation.jsonl"] * 2}),
    "a bot's unknown setting": rows_changed("revisions", settings={"shell": "rm"}),
    "a bot's slug with a slash": rows_changed("bots", slug="a/b"),
    "a version whose file is another": rows_changed("versions", sha256="2" * 64),
    # Such a rule makes everybody at the provider an owner, or nobody.
    "a rule for a claim that everybody has": rule("aud", "refdesk"),
    "a rule for a part of such a claim": rule("iss.x", "https://login.example.org"),
    "a rule without a value": rule("groups", " "),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(archive: Path, library: Organisation, name: str) -> None:
    before, users = snapshot(), User.objects.count()
    path = changed(archive, HOSTILE[name])
    with pytest.raises(RefdeskError) as refused:
        organisation_import(path=path, slug="evil")
    assert refused.value.code in ("archive_refused", "invalid_request")
    assert not Organisation.objects.filter(slug="evil").exists()
    stores_empty()
    assert (changes(before, snapshot()), User.objects.count()) == ([], users)
    stores_agree()


def test_a_rule_for_a_group_is_imported(archive: Path) -> None:
    # Otherwise the refusals of rules above would prove nothing.
    made = organisation_import(path=changed(archive, rule("groups", "keepers")), slug="copy")
    [found] = ClaimRule.objects.filter(organisation=made)
    assert (found.claim, found.value, found.role) == ("groups", "keepers", "owner")


def test_a_part_that_the_manifest_does_not_vouch_for_is_refused(archive: Path) -> None:
    # The zip's own sums fit: only the digest in the manifest tells.
    path = changed(
        archive, lambda parts: parts.update({"bots.jsonl": parts["bots.jsonl"].replace(b"Desk", b"Disk")}), sums=False
    )
    with pytest.raises(RefdeskError, match=r"bots.jsonl is damaged: its SHA-256"):
        organisation_import(path=path, slug="evil")


def test_one_flipped_bit_is_noticed_before_anything_is_stored(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    place = data.index(MANUAL) + 5
    data[place] ^= 1
    archive.write_bytes(data)
    with pytest.raises(CommandError, match="damaged"):
        call_command("organisation_import", str(archive), slug="evil", stdout=io.StringIO(), stderr=io.StringIO())
    archive.write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(CommandError, match="not a whole zip file"):
        call_command("organisation_import", str(archive), slug="evil", stdout=io.StringIO(), stderr=io.StringIO())
