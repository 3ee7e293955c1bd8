from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from app.lib.ids import new_id
from app.llm.choices import EndpointKind

# A bot refers to a model as `endpoint/model`.
NAME = RegexValidator(r"^[^/]+\Z", "A name has no slash.")


class ModelEndpoint(models.Model):
    """A model server. `organisation` None: the deployment's, which every organisation may use and none may change."""

    # Rows without an organisation can be read in every scope (app/accounts/row_security.py).
    deployment_readable: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey(
        "accounts.Organisation", models.CASCADE, null=True, blank=True, related_name="model_endpoints"
    )
    name = models.CharField(max_length=100, validators=[NAME])
    kind = models.CharField(max_length=20, choices=EndpointKind.choices, default=EndpointKind.OPENAI)
    # Without a final slash; an OpenAI-compatible server's ends in /v1.
    url = models.CharField("address", max_length=500)
    credential = models.ForeignKey(
        "secrets.Secret", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    # [{"name", "context", "price_in", "price_out", "abilities"}]; prices are for a million tokens.
    served_models = models.JSONField("models", default=list, blank=True)
    # {"model": the model that answers when a bot names none}
    defaults = models.JSONField(default=dict, blank=True)
    # Whether this server answers the organisation's questions; without any the deployment's does.
    is_default = models.BooleanField("answers by default", default=False)
    # Facts of the server from its last test: {"context", "slots", "refused"}.
    learnt = models.JSONField(default=dict, editable=False)
    # Result of the last test; None: never tested, or changed since.
    healthy = models.BooleanField(null=True, editable=False)
    # REFDESK_LLM_URL and its companions, written here at each start; the key stays in the environment.
    from_environment = models.BooleanField(default=False, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["created", "id"]
        verbose_name = "model server"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "name"], name="model_endpoint_name_unique", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=models.Q(is_default=True),
                name="model_endpoint_one_default",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name
