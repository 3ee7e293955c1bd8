"""Form fields of a model server; models as lines, the key write-only."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from pydantic import ValidationError as SchemaError
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from app.llm.choices import Ability
from app.llm.models import ModelEndpoint
from app.llm.schemas import MODELS_AT_MOST, ModelIn
from app.secrets.fields import Change, SecretField

FIELDS = ("name", "context", "price_in", "price_out", "abilities")


class ModelsField(forms.CharField):
    """Models, one a line: name | context | price in | price out | abilities. All after the name may be left out."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(_line(model) for model in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = [line for line in str(super().clean(value) or "").splitlines() if line.strip()]
        if len(lines) > MODELS_AT_MOST:
            raise ValidationError(f"At most {MODELS_AT_MOST} models.")
        models = [_read(line) for line in lines]
        if len({model["name"] for model in models}) < len(models):
            raise ValidationError("A model is named twice.")
        return models

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((self.prepare_value(initial) or "").split() != (data or "").split())


def _line(model: dict[str, Any]) -> str:
    cells = [str(model["name"]), *("" if model.get(name) is None else str(model[name]) for name in FIELDS[1:4])]
    return " | ".join([*cells, " ".join(model.get("abilities", []))]).rstrip(" |")


def _read(line: str) -> dict[str, Any]:
    """Return the model of a line of the form. Raises ValidationError."""
    cells = [cell.strip() for cell in line.split("|")]
    values: dict[str, Any] = {name: cell for name, cell in zip(FIELDS, cells, strict=False) if cell}
    values["abilities"] = values.get("abilities", "").split()
    try:
        for name in ("context", "price_in", "price_out"):
            if name in values:
                values[name] = int(values[name]) if name == "context" else float(values[name])
        if len(cells) > len(FIELDS):
            raise ValueError
        return ModelIn.model_validate(values).model_dump(mode="json")
    except (ValueError, SchemaError):
        known = ", ".join(Ability.values)
        raise ValidationError(
            f"“{line[:100]}” is no model: write name | context | price in | price out | abilities ({known})."
        ) from None


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    api_key = SecretField(label="API key")
    served_models = ModelsField(
        label="Models",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
        help_text="One a line: name | context in tokens | price of a million tokens read | of a million written | "
        "abilities. Only the name is needed. Empty: as the server lists them.",
    )
    default_model = forms.CharField(
        label="Default model",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Answers when a bot names none. Empty: the server's first one that writes.",
    )

    class Meta:
        model = ModelEndpoint
        fields = ("organisation", "name", "kind", "url", "served_models", "is_default")
        help_texts = {
            "organisation": "Empty: the deployment's, for every organisation.",
            "name": "Bots may name it: name/model.",
            "url": "Of a server that speaks OpenAI's API it ends in /v1.",
            "is_default": "Questions of the organisation go to this server. Otherwise to the deployment's.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("api_key")
        if isinstance(field, SecretField):
            field.show_state(is_set=self.instance.credential_id is not None)
        self.initial["default_model"] = self.instance.defaults.get("model", "")

    def changes(self) -> dict[str, Any]:
        """Return the arguments of the services; without the key when it is unchanged."""
        cleaned = self.cleaned_data
        given: dict[str, Any] = {
            name: cleaned[name] for name in ("name", "kind", "url", "is_default") if name in cleaned
        }
        given["models"] = cleaned.get("served_models") or []
        given["defaults"] = {"model": cleaned.get("default_model") or ""}
        key = cleaned.get("api_key", Change.KEEP)
        if key is not Change.KEEP:
            given["api_key"] = None if key is Change.REMOVE else key
        return given
