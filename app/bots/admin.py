from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from app.accounts.admin_scope import ReadOnlyAdmin, ScopedAdmin, person_of
from app.bots.forms import SETTINGS_FIELDS, BotForm
from app.bots.models import Bot, BotRevision
from app.bots.services import bot_create, bot_delete, bot_update


@admin.register(Bot)
class BotAdmin(ScopedAdmin):
    """Saving changed settings publishes a new revision; the earlier ones stay."""

    may_add = may_change = may_delete = True
    form = BotForm
    list_display = ("name", "organisation", "slug", "live_revision", "updated")
    list_select_related = ("organisation", "live_revision")
    list_filter = ("organisation",)
    search_fields = ("name", "slug")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        bot = [name for name in ("organisation", "name", "slug") if name not in self.get_exclude(request, obj)]
        if obj is not None:
            bot.append("sources")
        return ((None, {"fields": bot}), ("Settings", {"fields": list(SETTINGS_FIELDS)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), *(["slug"] if obj is not None else [])]

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        assert isinstance(form, BotForm)
        person = person_of(request)
        if not change:
            made = bot_create(
                organisation=self.organisation_for(request, obj),
                slug=obj.slug,
                name=obj.name,
                settings=form.settings.model_dump(),
                created_by=person,
            )
            obj.pk = made.pk
            return
        bot_update(
            organisation=obj.organisation_id,
            bot=obj,
            name=obj.name,
            settings=form.settings.model_dump(),
            sources=[source.pk for source in form.cleaned_data["sources"]],
            updated_by=person,
        )

    def object_delete(self, request: HttpRequest, obj: Any) -> None:
        bot_delete(organisation=obj.organisation_id, bot=obj)


@admin.register(BotRevision)
class BotRevisionAdmin(ReadOnlyAdmin):
    list_display = ("bot", "organisation", "number", "created_by", "created")
    list_select_related = ("organisation", "bot", "created_by")
    list_filter = ("organisation", "bot")
    ordering = ("bot", "-number")
