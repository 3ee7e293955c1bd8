from django.apps import AppConfig
from django.db.backends.signals import connection_created


class AccountsConfig(AppConfig):
    name = "app.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from app.accounts.audit_records import (
            invitation_label_present,
            key_label,
            key_label_present,
            person_label,
            person_label_present,
        )
        from app.audit.actors import INVITATION, KEY, PERSON, actor_labels_register
        from app.lib.tenancy import connection_guard

        actor_labels_register(KEY, key_label, key_label_present)
        actor_labels_register(PERSON, person_label, person_label_present)
        actor_labels_register(INVITATION, None, invitation_label_present)
        connection_created.connect(connection_guard)
