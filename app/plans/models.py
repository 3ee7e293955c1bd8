from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from app.lib.ids import new_id
from app.plans.choices import UsageKind, UsageStep


class Plan(models.Model):
    """Limits of an organisation, or of one key of it. None: no limit. Operators maintain plans for the box.

    What goes above a limit is refused. Admins see a notice from `soft_percent` of a month's or the library's limit on.
    """

    name = models.SlugField(max_length=50, primary_key=True)
    title = models.CharField(max_length=200)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    # The limit of one person, or one visitor of a widget, so that one cannot use up everybody's share.
    person_requests_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    requests_per_month = models.PositiveBigIntegerField(null=True, blank=True)
    tokens_per_month = models.PositiveBigIntegerField(null=True, blank=True)
    # Of an organisation's library as a whole (app/library/selectors/limits.py); a key's plan is not asked for them.
    documents = models.PositiveIntegerField(null=True, blank=True)
    document_mb = models.PositiveIntegerField(null=True, blank=True)  # MB of 1,048,576 bytes
    document_pages = models.PositiveIntegerField(null=True, blank=True)
    recording_minutes = models.PositiveIntegerField(null=True, blank=True)
    soft_percent = models.PositiveSmallIntegerField(
        default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.title

    @property
    def limits_contents(self) -> bool:
        """Return whether it limits what is known of a document only when it was read."""
        return self.document_pages is not None or self.recording_minutes is not None


class UsageEntry(models.Model):
    """A line of the ledger: a use, or its difference to the reservation. Never changed, never removed.

    Ids only, without foreign keys: the ledger outlives bots, keys and people, and contains no text. The use is the sum
    of the entries; negative numbers give back. `day` (UTC) is that of the reservation, so that a turn over midnight
    stays in one day and one month.
    """

    append_only: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # No index of its own: each turn writes two lines, and usage_by_day begins with this column.
    organisation = models.ForeignKey(
        "accounts.Organisation", models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField()
    day = models.DateField()
    kind = models.CharField(max_length=10, choices=UsageKind.choices)
    step = models.CharField(max_length=10, choices=UsageStep.choices)
    subject = models.UUIDField(null=True)  # the answer, or the version of a document
    bot = models.UUIDField(null=True)
    api_key = models.UUIDField(null=True)
    user = models.UUIDField(null=True)
    model = models.CharField(max_length=200, blank=True)
    requests = models.IntegerField(default=0)
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    # Tokens of the embedding model for a document: shown, but under no cap.
    tokens_embedded = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "usage entries"
        indexes: ClassVar = [
            models.Index(fields=["organisation", "day"], name="usage_by_day"),
            models.Index(fields=["subject"], name="usage_of_subject", condition=Q(subject__isnull=False)),
        ]
        constraints: ClassVar = [
            # A turn is reserved once, even if a statement is repeated.
            models.UniqueConstraint(fields=["subject"], name="usage_reserved_once", condition=Q(step="reserve")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.step} {self.id}"


class UsageTotal(models.Model):
    """The sums of the ledger in a month (its first day), of an organisation and of each family of keys.

    Caps are checked against them. Only the statements that write the ledger write them.
    """

    # usage_total_unique begins with this column.
    organisation = models.ForeignKey(
        "accounts.Organisation", models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    api_key = models.UUIDField(null=True)  # ApiKey.family; None: all of the organisation
    month = models.DateField()
    requests = models.BigIntegerField(default=0)
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    # Always true: a statement that would charge above a cap sets it false, and so fails as a whole.
    within_cap = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "month", "api_key"], name="usage_total_unique", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(within_cap=True), name="usage_within_cap"),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.month:%Y-%m}"
