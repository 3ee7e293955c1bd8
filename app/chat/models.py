from typing import ClassVar

from django.db import models
from django.db.models import Q

from app.accounts.models import ApiKey, Organisation, User
from app.bots.models import Bot, BotRevision
from app.chat.choices import AnswerMode, MessageRole, MessageState
from app.lib.columns import Use, column
from app.lib.ids import new_id
from app.library.models import Document

SHOWN = Use.API | Use.ARCHIVE
# Written by the statement that ends a turn; the API has some of these in another shape (app/chat/payloads.py).
RECORDED, RECORDED_INSIDE = SHOWN | Use.RESULT, Use.ARCHIVE | Use.RESULT


class Conversation(models.Model):
    """Turns of one person (or one API key) with one bot. Nobody else in the organisation sees it.

    `api_key` is the first key of the chain made by rotation (ApiKey.family), so that rotating a key loses nothing.
    """

    id = column(models.UUIDField(primary_key=True, default=new_id, editable=False), SHOWN)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="conversations")
    bot = column(models.ForeignKey(Bot, models.CASCADE, related_name="conversations"), Use.ARCHIVE)
    user = column(
        models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="conversations"), Use.ARCHIVE
    )
    api_key = column(
        models.ForeignKey(ApiKey, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="API key"),
        Use.ARCHIVE,
    )
    title = column(models.CharField(max_length=200, blank=True), SHOWN)
    created = column(models.DateTimeField(auto_now_add=True), SHOWN)
    updated = column(models.DateTimeField(auto_now=True), SHOWN)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organisation", "user", "-updated"], name="conversation_of_user"),
            models.Index(fields=["organisation", "api_key", "-updated"], name="conversation_of_key"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)


class Message(models.Model):
    """A question or an answer. Each question has exactly one answer row (I4): `reply_to` is unique.

    The columns are declared only here (app/lib/columns.py): another one is one line, and a migration.
    """

    id = column(models.UUIDField(primary_key=True, default=new_id, editable=False), SHOWN)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    conversation = column(models.ForeignKey(Conversation, models.CASCADE, related_name="messages"), Use.ARCHIVE)
    role = column(models.CharField(max_length=10, choices=MessageRole.choices), SHOWN)
    reply_to = column(
        models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="answer"), Use.ARCHIVE
    )
    idempotency_key = models.CharField(max_length=200, blank=True)
    content = column(models.TextField(blank=True), RECORDED)
    state = column(models.CharField(max_length=12, choices=MessageState.choices, default=MessageState.DONE), RECORDED)
    mode = column(models.CharField(max_length=12, choices=AnswerMode.choices, blank=True), RECORDED, null_if_empty=True)
    model = column(models.CharField(max_length=200, blank=True), RECORDED, null_if_empty=True)
    finish_reason = column(models.CharField(max_length=20, default="", db_default=""), RECORDED, null_if_empty=True)
    revision = column(
        models.ForeignKey(BotRevision, models.SET_NULL, null=True, blank=True, related_name="+"), Use.ARCHIVE
    )
    tokens_in = column(models.PositiveIntegerField(default=0), RECORDED_INSIDE)
    tokens_out = column(models.PositiveIntegerField(default=0), RECORDED_INSIDE)
    timings = column(models.JSONField(default=dict, blank=True), RECORDED, api_type=dict[str, float | None])
    error_code = column(models.CharField(max_length=40, blank=True), RECORDED_INSIDE)
    # Documents that the bot could not search yet when it refused. The answer keeps its notice after they are read.
    being_read = models.PositiveIntegerField(default=0, db_default=0)
    rating = column(models.SmallIntegerField(null=True, blank=True), SHOWN, bounds=(-1, 1))  # 1 or -1
    created = column(models.DateTimeField(auto_now_add=True), SHOWN)
    updated = column(models.DateTimeField(auto_now=True), Use.ARCHIVE)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["conversation", "created"], name="message_in_order"),
            models.Index(fields=["updated"], name="message_running", condition=Q(state="running")),
            # For the dashboard's figures of an organisation's answers over some days.
            models.Index(fields=["organisation", "created"], name="answer_by_day", condition=Q(role="assistant")),
        ]
        constraints: ClassVar = [
            # The key comes first because the turn looks it up: with the organisation first, a plan cached while the
            # table was small used only that column and read all the organisation's messages (2,000 rows a turn).
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

    id = column(models.UUIDField(primary_key=True, default=new_id, editable=False), RECORDED_INSIDE)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    message = column(models.ForeignKey(Message, models.CASCADE, related_name="citations"), Use.ARCHIVE)
    n = column(models.PositiveSmallIntegerField("number"), RECORDED)
    start = column(models.PositiveIntegerField(), RECORDED)  # characters of the answer
    end = column(models.PositiveIntegerField(), RECORDED)
    support = column(models.FloatField(null=True, blank=True), RECORDED)
    chunk_id = column(models.UUIDField(), RECORDED_INSIDE)  # no foreign key: the chunk may be replaced
    document = column(models.ForeignKey(Document, models.SET_NULL, null=True, related_name="+"), Use.ARCHIVE)
    document_name = column(models.CharField(max_length=255), RECORDED_INSIDE)
    version = column(models.PositiveIntegerField(), RECORDED_INSIDE)
    text = column(models.TextField(), RECORDED_INSIDE)
    place = column(models.JSONField(), RECORDED_INSIDE)
    as_of = column(models.DateTimeField(), RECORDED_INSIDE)

    class Meta:
        ordering: ClassVar = ["end", "n"]  # reading order: by the ends of their markers

    def __str__(self) -> str:
        return f"[{self.n}] {self.document_name}"
