from django.apps import AppConfig


class SourcesConfig(AppConfig):
    name = "app.library"
    label = "sources"
    default_auto_field = "django.db.models.BigAutoField"
