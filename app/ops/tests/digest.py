"""What the database holds of one organisation, in one comparable value."""

import hashlib
from collections.abc import Iterator

from django.apps import apps
from django.db.models import ForeignKey, Model

from app.accounts.models import Organisation, User

# Moves by being looked at.
VOLATILE = {"last_used", "last_login"}


def owned_models() -> list[type[Model]]:
    """Every table that carries an organisation."""
    found = [model for model in apps.get_models() if any(each.name == "organisation" for each in model._meta.fields)]
    assert len(found) > 10
    return found


def digest(organisation: Organisation) -> dict[str, str]:
    """Table → hash of its rows of the organisation."""
    tables = {model._meta.label: model._default_manager.filter(organisation=organisation) for model in owned_models()}
    tables["accounts.Organisation"] = Organisation.objects.filter(pk=organisation.pk)
    tables["accounts.User"] = User.objects.filter(memberships__organisation=organisation)
    result = {}
    for label, rows in tables.items():
        shown = [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in rows.order_by("pk").values()
        ]
        text = repr([{name: value for name, value in row.items() if name not in VOLATILE} for row in shown])
        result[label] = hashlib.sha256(text.encode()).hexdigest()
    return result


def crossings() -> Iterator[str]:
    """Rows that point at a row of another organisation."""
    for model in owned_models():
        for field in model._meta.fields:
            other = field.related_model
            if not isinstance(field, ForeignKey) or not isinstance(other, type) or other not in owned_models():
                continue
            rows = model._default_manager.exclude(**{f"{field.name}__isnull": True})
            for row in rows.select_related(field.name):
                if getattr(row, field.name).organisation_id != row.organisation_id:  # type: ignore[attr-defined]
                    yield f"{model._meta.label} {row.pk} → {field.name}"
