from typing import Any, ClassVar

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from app.privacy.models import Erasure, Export

EVERYTHING, PERSON = "everything", "person"


def _help(text: str, address: str, link: str) -> SafeString:
    """Return a help text that ends with a link to the other form."""
    return format_html('{} <a class="desk-link" href="{}">{}</a>', text, address, link)


class ExportForm(forms.ModelForm):  # type: ignore[type-arg]
    of = forms.ChoiceField(
        label="Of",
        choices=[("", "Choose"), (EVERYTHING, "All of the organisation"), (PERSON, "One person")],
        widget=UnfoldAdminSelectWidget,
    )
    who = forms.CharField(
        label="Person",
        required=False,
        max_length=254,
        widget=UnfoldAdminTextInputWidget,
        help_text="E-mail address, for the export of one person.",
    )

    class Meta:
        model = Export
        fields: ClassVar = ["organisation"]

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        of, who = values.get("of"), values.get("who", "").strip()
        if of == PERSON and not who:
            raise forms.ValidationError({"who": "Type the person's e-mail address."})
        if of == EVERYTHING and who:
            raise forms.ValidationError({"who": "Leave this empty, or choose one person above."})
        return values


class PersonErasureForm(forms.ModelForm):  # type: ignore[type-arg]
    who = forms.CharField(
        label="Person",
        max_length=254,
        widget=UnfoldAdminTextInputWidget,
        help_text=_help("E-mail address of the person to erase.", "?of=organisation", "Erase the whole organisation"),
    )
    confirm = forms.CharField(
        label="Confirm",
        max_length=254,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Type the e-mail address again. This cannot be undone.",
    )

    class Meta:
        model = Erasure
        fields: ClassVar = ["organisation"]

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        who, typed = values.get("who", "").strip().lower(), values.get("confirm", "").strip().lower()
        if who and typed and typed != who:
            raise forms.ValidationError({"confirm": "This is not the address above."})
        return values


class OrganisationErasureForm(forms.ModelForm):  # type: ignore[type-arg]
    confirm = forms.CharField(
        label="Confirm",
        max_length=254,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_help(
            "Type the slug of the organisation, its short name in addresses. Everything in it goes: documents, "
            "conversations, bots, keys and members. This cannot be undone.",
            "?",
            "Erase one person",
        ),
    )

    class Meta:
        model = Erasure
        fields: ClassVar = ["organisation"]
