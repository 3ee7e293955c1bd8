from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from app.privacy.models import Erasure, Export


class ExportForm(forms.ModelForm):  # type: ignore[type-arg]
    who = forms.CharField(
        label="Only of a person",
        required=False,
        max_length=254,
        widget=UnfoldAdminTextInputWidget,
        help_text="E-mail address. Empty: all of the organisation.",
    )

    class Meta:
        model = Export
        fields: ClassVar = ["organisation"]


class ErasureForm(forms.ModelForm):  # type: ignore[type-arg]
    who = forms.CharField(
        label="Person",
        required=False,
        max_length=254,
        widget=UnfoldAdminTextInputWidget,
        help_text="E-mail address of the person to erase. Empty: the whole organisation.",
    )
    confirm = forms.CharField(
        label="Confirm",
        max_length=254,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Type the e-mail address again; for the whole organisation, its slug. This cannot be undone.",
    )

    class Meta:
        model = Erasure
        fields: ClassVar = ["organisation"]

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        who, typed = values.get("who", "").strip().lower(), values.get("confirm", "").strip().lower()
        if who and typed != who:
            raise forms.ValidationError({"confirm": "This is not the address above."})
        return values
