"""A form field for a credential: shows whether a value is set, takes a new one, and never shows a value."""

from enum import Enum
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget

from app.secrets.services import LONGEST


class Change(Enum):
    """The results of a form without a new value."""

    KEEP = "keep"
    REMOVE = "remove"


class SecretInput(UnfoldAdminPasswordWidget):  # type: ignore[misc]
    """An empty password input, with a box to remove the value if one is set."""

    is_set = False

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        # The value is None even after an error, so that no credential goes back to the browser.
        attrs = {**(attrs or {}), "autocomplete": "off", "placeholder": "Set" if self.is_set else "Not set"}
        shown: SafeString = super().render(name, None, attrs, renderer)
        if not self.is_set:
            return shown
        box = format_html('<label><input type="checkbox" name="{}-remove"> Remove</label>', name)
        return format_html("{}{}", shown, box)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        text = (data.get(name) or "").strip()
        return text or (Change.REMOVE if data.get(f"{name}-remove") else Change.KEEP)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}-remove" not in data


class SecretField(forms.Field):
    """A field whose cleaned value is the new credential, `Change.KEEP` or `Change.REMOVE`."""

    widget = SecretInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "initial": Change.KEEP, **kwargs})

    def show_state(self, *, is_set: bool) -> None:
        """Set whether a value is stored; called where the form is made."""
        assert isinstance(self.widget, SecretInput)
        self.widget.is_set = is_set
        self.help_text = "Set. Leave it empty to keep it." if is_set else "Not set."

    def clean(self, value: Any) -> Any:
        if isinstance(value, Change):
            return value
        if len(value) > LONGEST:
            raise forms.ValidationError(f"A credential has at most {LONGEST // 1024} kB.")
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return data is not Change.KEEP
