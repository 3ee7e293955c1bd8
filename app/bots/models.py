from typing import ClassVar

from django.core.validators import validate_slug
from django.db import models
from django.db.models import F

from app.accounts.models import Organisation, User
from app.bots.settings import BotSettings
from app.lib.ids import new_id
from app.library.models import Source


class Bot(models.Model):
    """A bot. Its live revision has its settings; without sources it searches all of the organisation."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="bots")
    slug = models.CharField(max_length=50, validators=[validate_slug])
    name = models.CharField(max_length=200)
    sources = models.ManyToManyField(Source, through="BotSource", blank=True, related_name="bots")
    live_revision = models.ForeignKey(
        "BotRevision", models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    # The bot answers nobody from this time on, until it is resumed; its conversations and settings stay.
    paused = models.DateTimeField(null=True, blank=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "slug"], name="bot_slug_unique")]

    def __str__(self) -> str:
        return self.name


class BotSource(models.Model):
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    bot = models.ForeignKey(Bot, models.CASCADE)
    source = models.ForeignKey(Source, models.CASCADE)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["bot", "source"], name="bot_source_unique")]


class BotRevision(models.Model):
    """Immutable settings of a bot (app/bots/settings.py); a change is a new row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    bot = models.ForeignKey(Bot, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    settings = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = [F("number").desc()]
        constraints: ClassVar = [models.UniqueConstraint(fields=["bot", "number"], name="revision_number_unique")]

    def __str__(self) -> str:
        return f"Revision {self.number}"

    @property
    def parsed(self) -> BotSettings:
        return BotSettings.model_validate(self.settings)
