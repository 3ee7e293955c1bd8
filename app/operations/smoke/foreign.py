"""Check that a stack contains no other data before it is erased."""

import json

from app.operations.smoke.keycloak import Keycloak
from app.operations.smoke.stack import BESIDE, Stack
from app.operations.smoke.steps import Failed


def foreign_refuse(stack: Stack, keycloak: Keycloak) -> None:
    """Check that the stack contains only the first start's and smoke's own data. Raises Failed."""
    found = [f"{number} {name}" for name, number in json.loads(stack.manage("smoke_traces", "--foreign")).items()]
    people = keycloak.others()
    found += [f"{len(people)} people in Keycloak"] if people else []
    found += [f"the volume {name}" for name in sorted(stack.volumes() & set(BESIDE))]
    if found:
        raise Failed(
            f"this stack holds {', '.join(found)}: --full would erase that. Nothing was changed",
            "Run --full on a stack of its own: scripts/test-stack makes one.",
        )
