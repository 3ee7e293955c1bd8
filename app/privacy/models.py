from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format

from app.accounts.models import Organisation, User
from app.lib.ids import new_id
from app.privacy.choices import ErasureKind, ExportKind, RequestState


class PrivacyRequest(models.Model):
    """A person's request for long work. A job does the work and copies its state here."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.QUEUED)
    percent = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Export(PrivacyRequest):
    """A copy of an organisation's or a person's data: one file that can be fetched until it expires."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=ExportKind.choices, default=ExportKind.ORGANISATION)
    person = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    # Conversations are personal: only an owner's export holds them, and only an owner may fetch it.
    conversations = models.BooleanField(default=True)
    requested_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    storage_key = models.CharField(max_length=200, blank=True, editable=False)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    counts = models.JSONField(default=dict, blank=True)  # rows by table
    expires = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created"]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-created"], name="export_by_age"),
            models.Index(fields=["created"], name="export_open", condition=Q(state__in=["queued", "running"])),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} export of {date_format(self.created, 'j M Y, H:i')}"

    @property
    def is_ready(self) -> bool:
        return self.state == RequestState.DONE and self.expires > timezone.now()


class Erasure(PrivacyRequest):
    """A request to erase, and its receipt. It outlives the erased rows, so it has no foreign key that is enforced.

    `targets` holds the input of the work (an e-mail address, counts from before) and is emptied at the end.
    """

    organisation = models.ForeignKey(
        Organisation, models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    kind = models.CharField(max_length=12, choices=ErasureKind.choices)
    subject = models.UUIDField()  # id of the organisation, person or conversation
    asked_by = models.UUIDField(null=True, blank=True)
    asked_by_kind = models.CharField(max_length=12, default="person")  # person, key, command
    targets = models.JSONField(default=dict, blank=True, editable=False, encoder=DjangoJSONEncoder)
    receipt = models.JSONField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created"]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-created"], name="erasure_by_age"),
            models.Index(fields=["created"], name="erasure_open", condition=Q(state__in=["queued", "running"])),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "organisation", "subject"],
                name="erasure_one_open",
                condition=Q(state__in=["queued", "running"]),
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} erasure of {date_format(self.created, 'j M Y, H:i')}"


class RetentionRun(models.Model):
    """Counts of the rows that one night's retention removed; `organisation` None: rows of the box itself."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, blank=True, related_name="+")
    night = models.DateField()  # UTC
    counts = models.JSONField(default=dict)  # rows removed by table
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created"]
        indexes: ClassVar = [models.Index(fields=["night", "organisation"], name="retention_by_night")]

    def __str__(self) -> str:
        return f"{self.night}"
