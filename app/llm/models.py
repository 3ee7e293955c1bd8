from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from app.lib.ids import new_id
from app.llm.choices import TWO_INDEXES, ChangeState, EndpointKind

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


class EmbeddingChange(models.Model):
    """A change of the box's embedding model by an operator.

    The newest switched change names the model in use; without any, REFDESK_EMBEDDINGS_* do. An empty `url` means the
    server of REFDESK_EMBEDDINGS_URL.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    state = models.CharField(max_length=10, choices=ChangeState.choices, default=ChangeState.MEASURED, editable=False)
    url = models.CharField("address", max_length=500, blank=True)
    model = models.CharField(max_length=200, blank=True)
    credential = models.ForeignKey(
        "secrets.Secret", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    # The new model's vector space, as measured (EmbeddingSpace).
    dimensions = models.PositiveIntegerField(editable=False)
    max_tokens = models.PositiveIntegerField(null=True, editable=False)
    unrelated = models.FloatField(default=0.0, editable=False)
    # The model that was in use at the start, whose index is dropped in the end.
    old_model = models.CharField(max_length=200, blank=True, editable=False)
    old_dimensions = models.PositiveIntegerField(null=True, editable=False)
    # The cost, measured with a sample; `passages` counts again at the start.
    passages = models.PositiveIntegerField(default=0, editable=False)
    tokens = models.PositiveBigIntegerField(default=0, editable=False)
    sample = models.PositiveIntegerField(default=0, editable=False)
    sample_split = models.PositiveIntegerField("longer than the limit", default=0, editable=False)
    passage_s = models.FloatField(default=0.0, editable=False)
    # The fill goes on behind this passage.
    filled = models.PositiveIntegerField(default=0, editable=False)
    filled_version = models.UUIDField(null=True, editable=False)
    filled_position = models.IntegerField(default=-1, editable=False)
    # A version could not be written to the second index: the new one is compared again, the old one is left behind.
    behind = models.BooleanField(default=False, editable=False)
    error_code = models.CharField(max_length=40, blank=True, editable=False)
    error_message = models.CharField(max_length=500, blank=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    # Of the address and the key, which processes keep until then.
    updated = models.DateTimeField(auto_now=True)
    started = models.DateTimeField(null=True, editable=False)
    completed = models.DateTimeField(null=True, editable=False)
    switched = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created", "-id"]
        verbose_name = "embedding model"
        constraints: ClassVar = [
            # A constant expression: one row at most.
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(state__in=list(TWO_INDEXES)), name="embedding_change_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} ({self.dimensions} dimensions)"
