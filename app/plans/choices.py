from django.db import models


class UsageKind(models.TextChoices):
    """The kind of work that was charged."""

    TURN = "turn", "Question"
    SEARCH = "search", "Search"
    INGEST = "ingest", "Reading a document"


class UsageStep(models.TextChoices):
    RESERVE = "reserve", "Reserved"  # before a turn: its highest possible use
    SETTLE = "settle", "Settled"  # after a turn: the difference to its real use
    CHARGE = "charge", "Charged"  # at once, where the use is known


class UsageBy(models.TextChoices):
    """The grouping of usage: a column of the ledger."""

    DAY = "day", "Day"
    BOT = "bot", "Bot"
    KEY = "api_key", "API key"
    USER = "user", "Person"
    MODEL = "model", "Model"
    ORGANISATION = "organisation_id", "Organisation"
