"""Conversations, read-only. Because they are personal, admins, editors and viewers may not read them: only owners,
when the organisation's work needs it, and operators, who run the box and could read the database anyway."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from app.accounts.choices import Role
from app.admin_site.tenant_admin import ReadOnlyAdmin, ReadOnlyInline, display
from app.chat.models import Citation, Conversation, Message

SHOWN = 300


class MessageInline(ReadOnlyInline):
    model = Message
    fields = readonly_fields = ("role", "text", "state", "mode", "rating", "created")
    ordering = ("created", "id")
    per_page = 50

    @display(description="Text")
    def text(self, obj: Message) -> str:
        return obj.content if len(obj.content) <= SHOWN else obj.content[:SHOWN] + "…"


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    when_empty = "Nobody has asked yet. Conversations appear here with their first question."
    fields = ("organisation", "bot", "user", "api_key", "title", "created", "updated")
    least_role = Role.OWNER
    list_display = ("title_shown", "organisation", "bot", "user", "api_key", "messages_count", "updated")
    list_select_related = ("organisation", "bot", "user", "api_key")
    list_filter = ("organisation", "bot")
    search_fields = ("title",)
    ordering = ("-updated",)
    inlines = (MessageInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(messages_shown=Count("messages"))
        return rows

    @display(description="Title", ordering="title")
    def title_shown(self, obj: Conversation) -> str:
        return obj.title or "without a title"

    @display(description="Messages")
    def messages_count(self, obj: Any) -> int:
        return int(obj.messages_shown)


class CitationInline(ReadOnlyInline):
    model = Citation
    fields = readonly_fields = ("n", "document_name", "version", "text", "as_of")


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    least_role = Role.OWNER
    when_empty = "Nobody has asked yet. Messages appear here with the first question."
    list_display = ("created", "organisation", "role", "state", "mode", "model", "tokens_in", "tokens_out")
    list_select_related = ("organisation",)
    list_filter = ("organisation", "state", "mode", "error_code")
    ordering = ("-created",)
    inlines = (CitationInline,)
