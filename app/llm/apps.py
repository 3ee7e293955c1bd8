from django.apps import AppConfig


class LlmConfig(AppConfig):
    name = "app.llm"
    label = "llm"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from app.lib.asgi.lifespan import on_start
        from app.llm.services import environment_endpoint_at_start

        on_start(environment_endpoint_at_start)
