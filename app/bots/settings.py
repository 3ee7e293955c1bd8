"""The settings in a bot's revision, with defaults. Adding a field with a default needs no migration."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.lib.strict_types import Real, Whole

Starter = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class BotSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agent_type: Literal["rag"] = "rag"
    llm_model: str = Field("", max_length=200, description="A model, or endpoint/model; empty: the default")
    temperature: Real = Field(0.2, ge=0, le=2)
    max_tokens: Whole = Field(800, ge=16, le=8000, description="Longest answer, in tokens")
    system_prompt: str = Field("", max_length=20_000, description="Added to Refdesk's own rules for answers")
    retriever_k: Whole = Field(5, ge=1, le=20, description="Passages shown to the model")
    chat_history_length: Whole = Field(6, ge=0, le=40, description="Earlier messages shown to the model")
    refusal_text: str = Field(
        "I could not find this in the documents.",
        min_length=1,
        max_length=500,
        description="When nothing supports an answer",
    )
    greeting: str = Field("What would you like to know?", max_length=500)
    starters: list[Starter] = Field(default_factory=list, max_length=6)
