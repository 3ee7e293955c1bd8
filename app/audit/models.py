from typing import ClassVar

from django.db import models

from app.lib.ids import new_id


class AuditEntry(models.Model):
    """One change, with its actor and time; never changed or removed (the database grants neither).

    Entries of an organisation form a chain: each holds the hash of the one before it. Everything that could name a
    person is in AuditDetail, whose hash alone the entry holds, so that a person can be erased and the chain still
    verifies. `organisation` None: a change of the box itself.
    """

    append_only: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # No constraint: the trail outlives the organisation.
    organisation = models.ForeignKey(
        "accounts.Organisation", models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    target_kind = models.CharField(max_length=40, blank=True)
    target = models.CharField(max_length=64, blank=True)
    actor_kind = models.CharField(max_length=12)  # person, key, provider, command, system
    actor = models.UUIDField(null=True, blank=True)
    detail_hash = models.CharField(max_length=64)
    previous = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "audit trail"
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "number"], name="audit_number_unique", nulls_distinct=False
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organisation", "-at"], name="audit_by_age")]

    def __str__(self) -> str:
        return f"{self.number} {self.action}"


class AuditDetail(models.Model):
    """The detail of an audit entry: names, addresses, values before and after. Erasure empties it."""

    entry = models.OneToOneField(AuditEntry, models.CASCADE, primary_key=True, related_name="detail")
    organisation = models.ForeignKey(
        "accounts.Organisation", models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    # {"salt", "actor", "target", "address", "before": {}, "after": {}}, without secrets.
    content = models.JSONField(default=dict)


class AuditHead(models.Model):
    """The newest entry of a chain, sealed with the box's secret key, so that entries missing at the end are noticed.

    Its row is the lock of the chain.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(
        "accounts.Organisation", models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    number = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)
    seal = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation"], name="audit_head_unique", nulls_distinct=False)
        ]
