"""Import an archive as a new organisation: check every digest, store the files, then all rows in one transaction.

New ids are made from the new organisation's id and the old ids, so that they collide with no existing row and keep
the order of UUIDv7. Passages are stored unchanged; jobs of the same transaction embed and index them. A kill at any
time leaves only files, which the reconciler removes.
"""

import logging
import shutil
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import DataError, IntegrityError, transaction

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Membership, Organisation, User
from app.accounts.services import email_clean, organisation_create
from app.audit.trail import audit_record
from app.errors import Invalid, RefdeskError
from app.library.reconcile.reconciler import reconciler_keep_away
from app.oidc.claim_rules import claim_rule_check
from app.privacy.archive.reading import ArchiveReader, refused
from app.privacy.archive.rows import ClaimRuleRow, OrganisationRow
from app.privacy.imports.answers import bots_make, conversations_make
from app.privacy.imports.context import ImportContext, Say, create
from app.privacy.imports.library import documents_queue, library_make

log = logging.getLogger(__name__)

FREE_BYTES = 512 * 1024 * 1024
SAY_BYTES = 64 * 1024 * 1024


def organisation_import(*, path: Path, slug: str | None = None, say: Say = lambda _: None) -> Organisation:
    """Make an organisation from an archive. Its documents are ready when a worker has embedded their passages.

    People become members by their address; an address without an account gets one without a password.

    Raises:
        RefdeskError: archive_refused, disk_full.
        Conflict: the slug is taken.
    """
    with ArchiveReader(path) as reader:
        _room_check(reader)
        said = 0
        for done in reader.check():
            if done - said >= SAY_BYTES:
                said = done
                say(f"{done // 1024**2} MB checked")
        say("Every part has the digest that the manifest names.")
        try:
            with transaction.atomic():
                # The reconciler would remove files that have no row yet.
                reconciler_keep_away()
                return _make(reader, slug, say)
        except (IntegrityError, DataError) as error:
            log.warning("import refused by the database: %s", type(error.__cause__ or error).__name__)
            raise refused("its rows do not fit together, or a value cannot be stored.") from error


def _room_check(reader: ArchiveReader) -> None:
    wanted = sum(part.bytes for part in reader.manifest.parts.values())
    settings.DATA.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(settings.DATA).free < wanted + FREE_BYTES:
        raise RefdeskError("disk_full")


def _make(reader: ArchiveReader, slug: str | None, say: Say) -> Organisation:
    row = _only_row(reader)
    organisation = organisation_create(slug=slug or row.slug, name=row.name)
    for name in ("chunk_tokens", "chunk_overlap", "retention_days", "accent", "scheme", "welcome"):
        setattr(organisation, name, getattr(row, name))
    organisation.save()
    context = ImportContext(reader, organisation)
    context.counts["organisation"] = 1
    _people(context)
    library_make(context, say)
    bots_make(context)
    conversations_make(context)
    documents_queue(context)
    audit_record(
        organisation=organisation.id,
        action="organisation.import",
        target_kind="organisation",
        target=str(organisation.id),
        target_name=organisation.name,
        after=context.counts,
    )
    say(", ".join(f"{count} {name}" for name, count in context.counts.items() if count))
    return organisation


def _only_row(reader: ArchiveReader) -> OrganisationRow:
    rows = list(islice(reader.rows("organisation"), 2))
    if len(rows) != 1:
        raise refused("it does not hold exactly one organisation.")
    found: OrganisationRow = rows[0]
    return found


def _people(context: ImportContext) -> None:
    organisation = context.organisation
    for row in context.rows("people"):
        email = email_clean(row.email)
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User(email=email, name=row.name.replace("\0", ""))
            user.set_unusable_password()
            user.save()
        context.people[row.id] = user.id
        if row.role is not None:
            Membership.objects.create(organisation=organisation, user=user, role=Role(row.role))
    create(ClaimRule, (_rule(organisation, row) for row in context.rows("claim_rules")))


def _rule(organisation: Organisation, row: ClaimRuleRow) -> ClaimRule:
    try:
        claim_rule_check(claim=row.claim, value=row.value)
    except Invalid as error:
        raise refused(f"a claim rule of it makes nobody or everybody a member. {error.message}") from error
    return ClaimRule(organisation=organisation, claim=row.claim, value=row.value, role=row.role)
