"""Traces of smoke inside the appliance: find and remove its own, and count other people's."""

import hashlib

from app.accounts.models import ApiKey, Invitation, Organisation, User
from app.chat.models import Conversation
from app.lib.tenancy import everything_visible
from app.library.models import Document
from app.library.services.documents import document_delete
from app.operations.sample_library import sample_paths
from app.operations.smoke.names import DOMAIN, PAPER, paper_name


@everything_visible()
def papers_delete(*, word: str) -> int:
    """Delete the documents of one run; return their number."""
    rows = list(Document.objects.filter(name=paper_name(word)).values_list("organisation_id", "id"))
    for organisation, document in rows:
        document_delete(organisation=organisation, document=document)
    return len(rows)


@everything_visible()
def foreign_count() -> dict[str, int]:
    """Return the number of rows that are neither the first start's nor smoke's, by kind; empty kinds are omitted."""
    samples = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sample_paths()]
    counts = {
        "organisations": max(0, Organisation.objects.count() - 1),
        "people": User.objects.exclude(email__endswith=f"@{DOMAIN}").count(),
        "documents": Document.objects.exclude(versions__sha256__in=samples).exclude(name__startswith=PAPER).count(),
        "conversations": Conversation.objects.exclude(user__email__endswith=f"@{DOMAIN}").count(),
        "API keys": ApiKey.objects.count(),
        "invitations": Invitation.objects.count(),
    }
    return {name: number for name, number in counts.items() if number}
