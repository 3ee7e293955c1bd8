"""Types of what is sent, as strict as the API's description of them.

By themselves pydantic's take `true` for 1, "5" for 5 and 0.5 for a moment in 1970.
"""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


def _moment(value: Any) -> Any:
    # All of ISO 8601 that is read here begins with year and month, and a number of seconds does not.
    if isinstance(value, str) and value[4:5] == "-":
        return value
    raise ValueError("must be a date or a time as in ISO 8601")


# In a JSON body; the numbers of an address are texts.
Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number)]
# In a body or an address.
Day = Annotated[date, BeforeValidator(_moment)]
Time = Annotated[datetime, BeforeValidator(_moment)]
ZonedTime = Annotated[AwareDatetime, BeforeValidator(_moment)]
