from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from app.jobs.choices import JobState, Lane
from app.lib.ids import new_id

# Represents the box in indexes: to the dispatcher, the box's own jobs are those of one organisation.
BOX = UUID(int=0)
_OPEN = Q(state__in=["queued", "running"])


class Job(models.Model):
    """A piece of background work of any kind. PostgreSQL owns it; the broker only carries its id.

    A worker has it until `lease_until` (the database's clock) and writes only while `fence` is the number it took.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=40)  # JobKind.kind
    lane = models.CharField(max_length=12, choices=Lane.choices)
    # None: the box's own job.
    organisation = models.ForeignKey(
        "accounts.Organisation", models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    # The organisation, or BOX. A column, because under row security no index serves an expression.
    tenant = models.GeneratedField(
        expression=Coalesce("organisation", Value(BOX), output_field=models.UUIDField()),
        output_field=models.UUIDField(),
        db_persist=True,
    )
    subject = models.CharField(max_length=64, blank=True)  # id of the job's subject
    payload = models.JSONField(default=dict, blank=True)  # further data for the kind; no credential
    trace_id = models.CharField(max_length=32, blank=True, default="", db_default="")  # of the request that made it
    # At most one open job of a kind has the same key.
    unique_key = models.CharField(max_length=200, null=True, blank=True)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    step = models.CharField(max_length=40, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)  # number of leases taken
    deaths = models.PositiveIntegerField(default=0)  # leases that expired since work was last saved
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    waiting_since = models.DateTimeField(null=True, blank=True)  # first failure of a server that the job needs
    sent = models.DateTimeField(null=True, blank=True)  # when the dispatcher last sent the id
    priority = models.SmallIntegerField(default=0)  # smaller first within an organisation
    weight = models.BigIntegerField(default=0)  # bytes or the like: light jobs first
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    started = models.DateTimeField(null=True, blank=True)
    ended = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            # The dispatcher's order: each organisation's lightest jobs of a kind.
            models.Index(
                fields=["kind", "tenant", "priority", "weight", "id"], name="job_queued", condition=Q(state="queued")
            ),
            models.Index(
                fields=["not_before"], name="job_waiting", condition=Q(state="queued", not_before__isnull=False)
            ),
            models.Index(fields=["lease_until"], name="job_running", condition=Q(state="running")),
            models.Index(fields=["kind", "organisation"], name="job_sent", condition=_OPEN & Q(sent__isnull=False)),
            models.Index(fields=["organisation", "-id"], name="job_by_organisation"),
            models.Index(fields=["ended"], name="job_ended", condition=Q(ended__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "unique_key"], name="job_one_open", condition=_OPEN),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.state})"


class Schedule(models.Model):
    """A schedule of jobs of a kind: at an interval in seconds, or by a cron expression in a time zone.

    `next_run` is moved and the job is made in one transaction, so several schedulers make one job.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=40)
    organisation = models.ForeignKey("accounts.Organisation", models.CASCADE, null=True, blank=True, related_name="+")
    subject = models.CharField(max_length=64, blank=True)
    payload = models.JSONField(default=dict, blank=True)
    every_s = models.PositiveIntegerField(null=True, blank=True)
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    next_run = models.DateTimeField()
    last_run = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["next_run"], name="schedule_due")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(every_s__isnull=False, cron="") | (Q(every_s__isnull=True) & ~Q(cron="")),
                name="schedule_every_or_cron",
            ),
        ]

    def __str__(self) -> str:
        return self.name
