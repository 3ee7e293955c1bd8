from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "app.library.pipeline"
    label = "ingest"
    default_auto_field = "django.db.models.BigAutoField"
