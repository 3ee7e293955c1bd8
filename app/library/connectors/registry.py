"""Find connectors by kind: every module of this folder registers its own connector."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from app.errors import Invalid
from app.library.choices import SourceKind
from app.library.connectors.protocol import Connector
from app.library.models import Source

_connectors: dict[SourceKind, type[Connector]] = {}
Class = TypeVar("Class", bound=type[Connector])


def register(connector: Class) -> Class:
    """Register a connector under its kind."""
    if connector.kind in _connectors:
        raise ValueError(f"Two connectors have the kind {connector.kind!r}.")
    _connectors[connector.kind] = connector
    return connector


@cache
def _modules_import() -> None:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")


def connectors_all() -> dict[SourceKind, type[Connector]]:
    """Return every connector by its kind."""
    _modules_import()
    return _connectors


def connector_class(kind: str) -> type[Connector]:
    """Return the connector of a kind.

    Raises:
        Invalid: the kind has no connector.
    """
    connector = connectors_all().get(SourceKind(kind)) if kind in SourceKind.values else None
    if connector is None:
        raise Invalid(message=f"kind is one of {', '.join(sorted(connectors_all()))}.")
    return connector


def connector_open(source: Source) -> Connector:
    """Return the connector of a source, with its settings."""
    return connector_class(source.kind)(source)


def settings_check(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a kind as they are stored, with its defaults.

    Raises:
        Invalid: the kind has no such setting, or a value is wrong.
    """
    try:
        checked = connector_class(kind).Settings.model_validate(settings)
    except ValidationError as error:
        fields = [
            {"field": ".".join(["settings", *(str(part) for part in each["loc"])]), "message": each["msg"]}
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise Invalid(details={"fields": fields}) from error
    return checked.model_dump(mode="json")
