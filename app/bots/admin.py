from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ChoiceField, ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ReadOnlyAdmin, ScopedAdmin, display, request_user
from app.bots.forms import CHOICE_LABELS, SETTINGS_FIELDS, BotForm
from app.bots.models import Bot, BotRevision
from app.bots.services import bot_create, bot_delete, bot_pause, bot_resume, bot_update, revision_restore


@admin.register(Bot)
class BotAdmin(ScopedAdmin):
    """Bots: saving changed settings publishes a new revision; the earlier ones stay."""

    when_deleted = "Its revisions and all conversations with it go with it."
    may_add = may_change = may_delete = True
    when_empty = "A bot answers questions from all sources, or from those that you choose for it."
    form = BotForm
    list_display = ("name", "organisation", "slug", "state", "revision", "sources_shown", "updated")
    list_select_related = ("organisation", "live_revision")
    list_filter = ("organisation",)
    # Set here, because grouped rows lose the order of the model.
    ordering = ("name", "pk")
    search_fields = ("name", "slug")
    actions_row = actions_detail = ("pause", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(sources_count=Count("sources"))
        return rows

    @display(description="State", label={"answers": "success", "paused": "warning"})
    def state(self, obj: Bot) -> str:
        return "paused" if obj.paused else "answers"

    @display(description="Revision", ordering="live_revision__number")
    def revision(self, obj: Bot) -> int:
        return obj.live_revision.number if obj.live_revision else 0

    @display(description="Reads")
    def sources_shown(self, obj: Any) -> str:
        return {0: "all sources", 1: "1 source"}.get(obj.sources_count, f"{obj.sources_count} sources")

    @object_action(
        description="Pause",
        words="People who ask it are told that it is paused. Its conversations stay; it can be resumed at any time.",
        icon="pause",
        applies=lambda row: row.paused is None,
    )
    def pause(self, request: HttpRequest, obj: Bot) -> str:
        bot_pause(organisation=obj.organisation_id, bot=obj.pk)
        return f"{obj.name} is paused."

    @object_action(
        description="Resume",
        words="It answers again.",
        icon="play_arrow",
        applies=lambda row: row.paused is not None,
    )
    def resume(self, request: HttpRequest, obj: Bot) -> str:
        bot_resume(organisation=obj.organisation_id, bot=obj.pk)
        return f"{obj.name} answers again."

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        bot = [name for name in ("organisation", "name", "slug") if name not in self.get_exclude(request, obj)]
        if obj is not None:
            bot += ["sources", "state", "revisions"]
        return ((None, {"fields": bot}), ("Settings", {"fields": list(SETTINGS_FIELDS)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [
            *super().get_readonly_fields(request, obj),
            "state",
            "revisions",
            *(["slug"] if obj is not None else []),
        ]

    @display(description="Revisions")
    def revisions(self, obj: Bot) -> SafeString:
        address = reverse("admin:bots_botrevision_changelist")
        return format_html('<a href="{}?bot__id__exact={}">Compare and restore</a>', address, obj.pk)

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        assert isinstance(form, BotForm)
        person = request_user(request)
        if not change:
            bot = bot_create(
                organisation=self.organisation_for(request, obj),
                slug=obj.slug,
                name=obj.name,
                settings=form.settings.model_dump(),
                created_by=person,
            )
            obj.pk = bot.pk
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
    list_display = ("bot", "number", "state", "organisation", "created_by", "created")
    list_select_related = ("organisation", "bot__live_revision", "created_by")
    list_filter = ("organisation", "bot")
    ordering = ("bot", "-number")
    actions_row = actions_detail = ("restore",)
    fields = ("bot", "number", "state", "created_by", "created", "compared")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # The settings are shown as a table, which is easier to read than JSON.
        return list(self.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "state", "compared"]

    @display(description="State", label={"live": "success"})
    def state(self, obj: BotRevision) -> str:
        return "live" if obj.bot.live_revision_id == obj.pk else "earlier"

    @display(description="Settings")
    def compared(self, obj: BotRevision) -> SafeString:
        """Return the settings beside those of the previous and the live revision, with differences marked."""
        before = BotRevision.objects.filter(bot=obj.bot_id, number=obj.number - 1).first()
        live = obj.bot.live_revision
        settings = obj.parsed.model_dump()
        revisions = [
            (f"Before (r{obj.number - 1})", before),
            ("Live now", live if live and live.pk != obj.pk else None),
        ]
        columns = [(title, revision.parsed.model_dump()) for title, revision in revisions if revision is not None]
        rows = []
        for name, value in settings.items():
            cells = [(column.get(name), "changed" if column.get(name) != value else "") for _, column in columns]
            cells_html = format_html_join(
                "", '<td class="{}">{}</td>', ((mark, _value_text(name, cell)) for cell, mark in cells)
            )
            rows.append((SETTINGS_FIELDS[name].label or name, _value_text(name, value), cells_html))
        titles = format_html_join("", '<th scope="col">{}</th>', ((title,) for title, _ in columns))
        body = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td>{}</tr>', rows)
        head = format_html(
            '<tr><th scope="col">Setting</th><th scope="col">Revision {}</th>{}</tr>', obj.number, titles
        )
        return format_html('<div class="desk-scroll wide"><table class="audit-changes">{}{}</table></div>', head, body)

    @object_action(
        description="Restore",
        words="The settings of this revision go live again, as a new revision. The present ones stay in the history.",
        icon="settings_backup_restore",
        permission="restore",
        applies=lambda row: row.bot.live_revision_id != row.pk,
    )
    def restore(self, request: HttpRequest, obj: BotRevision) -> str:
        revision = revision_restore(
            organisation=obj.organisation_id, bot=obj.bot, number=obj.number, restored_by=request_user(request)
        )
        return f"Revision {obj.number} of {obj.bot} is live again, as revision {revision.number}."

    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_view_permission(request, obj))


def _value_text(name: str, value: Any) -> str:
    if isinstance(SETTINGS_FIELDS[name], ChoiceField):
        return CHOICE_LABELS.get(value, str(value))
    if value in ("", [], None):
        return "–"
    return "\n".join(value) if isinstance(value, list) else str(value)
