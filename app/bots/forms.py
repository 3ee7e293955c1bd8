"""Form fields of a bot's settings, derived from the settings' model so that a new setting needs no form."""

from typing import Any, Literal, get_args, get_origin

from django import forms
from django.core.exceptions import ValidationError
from pydantic.fields import FieldInfo
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from app.bots.models import Bot
from app.bots.services import settings_check
from app.bots.settings import BotSettings
from app.errors import Invalid
from app.library.models import Source

LONG_TEXT = 300
# Labels of choices that have a technical name in the API.
CHOICE_LABELS = {"rag": "Answers from your documents"}
LABELS = {"agent_type": "Kind of agent", "llm_model": "Model", "retriever_k": "Passages"}


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial) != self.to_python(data))


def _limit(info: FieldInfo, name: str) -> Any:
    return next((getattr(entry, name) for entry in info.metadata if getattr(entry, name, None) is not None), None)


def _form_field(name: str, info: FieldInfo) -> forms.Field:
    shared: dict[str, Any] = {
        "label": LABELS.get(name) or name.replace("_", " ").capitalize(),
        "help_text": info.description or "",
        "required": False,
        "initial": info.get_default(call_default_factory=True),
    }
    kind = info.annotation
    if get_origin(kind) is Literal:
        choices = [(value, CHOICE_LABELS.get(value, value)) for value in get_args(kind)]
        return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget, **shared)
    if kind in (int, float):
        limits = {"min_value": _limit(info, "ge"), "max_value": _limit(info, "le")}
        if kind is int:
            return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, **limits, **shared)
        return forms.FloatField(widget=UnfoldAdminDecimalFieldWidget, step_size=0.05, **limits, **shared)
    if get_origin(kind) is list:
        shared["help_text"] = shared["help_text"] or "One a line"
        return LinesField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), **shared)
    longest = _limit(info, "max_length")
    if not longest or longest <= LONG_TEXT:
        return forms.CharField(max_length=longest, widget=UnfoldAdminTextInputWidget, strip=False, **shared)
    rows = 2 if longest <= 2 * LONG_TEXT else 10
    widget = UnfoldAdminTextareaWidget(attrs={"rows": rows})
    return forms.CharField(max_length=longest, widget=widget, strip=False, **shared)


SETTINGS_FIELDS: dict[str, forms.Field] = {
    name: _form_field(name, info) for name, info in BotSettings.model_fields.items()
}


_SettingsForm: Any = type("_SettingsForm", (forms.Form,), dict(SETTINGS_FIELDS))


class BotForm(_SettingsForm, forms.ModelForm):  # type: ignore[misc,type-arg]
    """A bot, the sources that it reads, and its live settings."""

    sources = forms.ModelMultipleChoiceField(
        Source.objects.none(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="None chosen: the bot reads every source of the organisation.",
    )

    class Meta:
        model = Bot
        fields = ("organisation", "slug", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bot = self.instance
        if bot.live_revision_id:
            initial = {name: value for name, value in bot.live_revision.settings.items() if name in SETTINGS_FIELDS}
            self.initial.update(initial)
        if "sources" in self.fields and bot.organisation_id:
            offered = Source.objects.filter(organisation=bot.organisation_id)
            self.fields["sources"].queryset = offered  # type: ignore[attr-defined]
            self.initial["sources"] = list(bot.sources.values_list("pk", flat=True))

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        values = {name: cleaned[name] for name in SETTINGS_FIELDS if cleaned.get(name) is not None}
        if any(name in self.errors for name in SETTINGS_FIELDS):
            return cleaned
        try:
            self.settings = settings_check(values)
        except Invalid as error:
            for field in error.details["fields"]:
                name = field["field"].split(".")[0]
                self.add_error(name if name in self.fields else None, ValidationError(field["message"]))
        return cleaned
