from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from app.lib.ids import new_id

PURPOSE = RegexValidator(r"^[a-z0-9_]+\.[a-z0-9_]+\Z", "Write a purpose as endpoint.api_key.")


class Secret(models.Model):
    """A credential that a person entered, encrypted; only app/secrets/services.py reads `sealed`.

    `organisation` None: a credential of the deployment, which no organisation sees.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(
        "accounts.Organisation", models.CASCADE, null=True, blank=True, editable=False, related_name="+"
    )
    # Purpose of the value, as `kind.field` of the row that refers to it; part of the authenticated data.
    purpose = models.CharField(max_length=60, editable=False, validators=[PURPOSE])
    # For people: the endpoint or source of the credential.
    label = models.CharField(max_length=200, editable=False)
    # The key of REFDESK_SECRETS_KEYS that encrypted it (app/secrets/keyring.py).
    key_id = models.CharField(max_length=16, editable=False, db_index=True)
    # Nonce (12 bytes), ciphertext and tag (16 bytes) of AES-256-GCM.
    sealed = models.BinaryField()
    # The time when the value was last set; a rotation does not change it.
    changed = models.DateTimeField(editable=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created", "id"]

    def __str__(self) -> str:
        return self.label
