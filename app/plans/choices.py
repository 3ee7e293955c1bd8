from django.db import models


class UsageKind(models.TextChoices):
    """What was used."""

    TURN = "turn", "Question"
    SEARCH = "search", "Search"
    INGEST = "ingest", "Reading a document"


class UsageStep(models.TextChoices):
    RESERVE = "reserve", "Reserved"  # before a turn, what it may use at most
    SETTLE = "settle", "Settled"  # after it, the difference to what it used
    CHARGE = "charge", "Charged"  # at once, where the use is known


class UsageBy(models.TextChoices):
    """What usage is summed up by: a column of the ledger."""

    DAY = "day", "Day"
    BOT = "bot", "Bot"
    KEY = "api_key", "API key"
    USER = "user", "Person"
    MODEL = "model", "Model"
    ORGANISATION = "organisation_id", "Organisation"
