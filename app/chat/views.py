from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.bots.models import Bot
from app.bots.selectors import bot_list
from app.bots.settings import BotSettings
from app.chat.selectors import conversation_list
from app.portal.pages import page
from app.portal.shell import shell_context

FIRST_BOT = "default"


@never_cache
@require_safe
@page(Role.VIEWER)
def show_portal(request: HttpRequest, caller: Caller) -> HttpResponse:
    bots = {bot.slug: bot for bot in bot_list(organisation=caller.organisation_id)}
    wanted = request.GET.get("bot")
    if wanted is not None and wanted not in bots:
        raise Http404
    if not bots:
        return render(request, "chat/no_bot.html", {"shell": shell_context(caller, section="ask")})
    # A paused bot is shown only when it is requested by name, or when every bot is paused.
    answering = {slug: bot for slug, bot in bots.items() if bot.paused is None} or bots
    bot = bots[wanted] if wanted else answering.get(FIRST_BOT, next(iter(answering.values())))
    shell = shell_context(caller, section="ask", bot_slug=bot.slug)
    shown = {
        "shell": shell,
        "bot_name": bot.name,
        "page": {"bot": {**_bot(bot), "welcome": shell["organisation"].welcome}, "conversation": None},
    }
    return render(request, "chat/ask.html", shown)


@never_cache
@require_safe
@page(Role.VIEWER)
def show_conversation(request: HttpRequest, caller: Caller, conversation_id: UUID) -> HttpResponse:
    own = conversation_list(organisation=caller.organisation_id, user=caller.user_id)
    conversation = own.select_related("bot__live_revision").filter(pk=conversation_id).first()
    if conversation is None:
        raise Http404
    bot = conversation.bot
    shown = {
        "shell": shell_context(caller, section="conversation", bot_slug=bot.slug, conversation_id=conversation.id),
        "title": conversation.title or "Conversation",
        "bot_name": bot.name,
        "page": {"bot": _bot(bot), "conversation": str(conversation.id)},
    }
    return render(request, "chat/ask.html", shown)


def _bot(bot: Bot) -> dict[str, Any]:
    settings = bot.live_revision.parsed if bot.live_revision else BotSettings.model_validate({})
    shown = {"slug": bot.slug, "name": bot.name, "paused": bot.paused is not None}
    return {**shown, "greeting": settings.greeting, "starters": settings.starters}
