from typing import ClassVar

from django.db import models
from django.db.models import Q

from app.accounts.models import ApiKey, Organisation, User
from app.bots.models import Bot, BotRevision
from app.chat.choices import AnswerMode, MessageRole, MessageState
from app.lib.ids import new_id
from app.library.models import Document


class Conversation(models.Model):
    """Turns of one person (or one API key) with one bot. Nobody else in the organisation sees it.

    `api_key` is the first of the keys that took each other's place (ApiKey.family), so that rotating loses nothing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="conversations")
    bot = models.ForeignKey(Bot, models.CASCADE, related_name="conversations")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="conversations")
    api_key = models.ForeignKey(
        ApiKey, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="API key"
    )
    title = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organisation", "user", "-updated"], name="conversation_of_user"),
            models.Index(fields=["organisation", "api_key", "-updated"], name="conversation_of_key"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)


class Message(models.Model):
    """A question or an answer. Each question has exactly one answer row (I4): `reply_to` is unique."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    role = models.CharField(max_length=10, choices=MessageRole.choices)
    reply_to = models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="answer")
    idempotency_key = models.CharField(max_length=200, blank=True)
    content = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=MessageState.choices, default=MessageState.DONE)
    mode = models.CharField(max_length=12, choices=AnswerMode.choices, blank=True)
    model = models.CharField(max_length=200, blank=True)
    revision = models.ForeignKey(BotRevision, models.SET_NULL, null=True, blank=True, related_name="+")
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    timings = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    # Documents that the bot could not search yet when it refused. The answer keeps its notice after they are read.
    being_read = models.PositiveIntegerField(default=0, db_default=0)
    rating = models.SmallIntegerField(null=True, blank=True)  # 1 or -1
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["conversation", "created"], name="message_in_order"),
            models.Index(fields=["updated"], name="message_running", condition=Q(state="running")),
            # The dashboard's: figures of an organisation's answers over some days.
            models.Index(fields=["organisation", "created"], name="answer_by_day", condition=Q(role="assistant")),
        ]
        constraints: ClassVar = [
            # The key first: the turn looks it up, and a plan cached while the table was small took the organisation of
            # an index that began with it, then read all its messages (2,000 rows a turn).
            models.UniqueConstraint(
                fields=["idempotency_key", "organisation"],
                name="message_idempotent",
                condition=~Q(idempotency_key=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"


class Citation(models.Model):
    """A passage that an answer cites, copied so that the quote outlives its document."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="citations")
    n = models.PositiveSmallIntegerField("number")
    start = models.PositiveIntegerField()  # characters of the answer
    end = models.PositiveIntegerField()
    support = models.FloatField(null=True, blank=True)
    chunk_id = models.UUIDField()  # no foreign key: the chunk may be replaced
    document = models.ForeignKey(Document, models.SET_NULL, null=True, related_name="+")
    document_name = models.CharField(max_length=255)
    version = models.PositiveIntegerField()
    text = models.TextField()
    place = models.JSONField()
    as_of = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["start", "n"]

    def __str__(self) -> str:
        return f"[{self.n}] {self.document_name}"
