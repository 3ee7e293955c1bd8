from app.accounts.models import Organisation
from app.errors import Conflict, Invalid
from app.sources.choices import SourceKind
from app.sources.models import Source


def source_create(*, organisation: Organisation, name: str, kind: SourceKind = SourceKind.UPLOADS) -> Source:
    """Raises Conflict when the name is taken, Invalid when it is empty."""
    name = name.strip()[:200]
    if not name:
        raise Invalid(message="A source needs a name.")
    source, made = Source.objects.get_or_create(organisation=organisation, name=name, defaults={"kind": kind})
    if not made:
        raise Conflict(message=f"There is a source {name!r} already.")
    return source
