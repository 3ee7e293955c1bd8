from django.apps import AppConfig


class SecretsConfig(AppConfig):
    name = "app.secrets"
    label = "secrets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from app.secrets import checks  # noqa: F401  (registers them)
