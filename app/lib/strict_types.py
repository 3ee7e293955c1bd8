"""Types of request fields that are as strict as the API's description.

Pydantic's own types accept `true` as 1, "5" as 5 and 0.5 as a time in 1970.
"""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


def _iso_time(value: Any) -> Any:
    # Every supported form of ISO 8601 begins with year and month; a number of seconds does not.
    if isinstance(value, str) and value[4:5] == "-":
        return value
    raise ValueError("must be a date or a time as in ISO 8601")


# Only for JSON bodies: numbers in an address arrive as text.
Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number)]
# For a body or an address.
Day = Annotated[date, BeforeValidator(_iso_time)]
Time = Annotated[datetime, BeforeValidator(_iso_time)]
ZonedTime = Annotated[AwareDatetime, BeforeValidator(_iso_time)]
