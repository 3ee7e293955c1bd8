from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "app.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from app.lib.tenancy import connection_guard
        from app.plans.services import plans_ship

        post_migrate.connect(plans_ship, sender=self)
        connection_created.connect(connection_guard)
