"""How much of an account's concurrency may be reserved. Pure.

Source: Lambda API, PutFunctionConcurrency; recorded text.
"""

from __future__ import annotations

from alonzo.control.records import Usage
from alonzo.model.errors import invalid_parameter
from alonzo.model.limits import UNRESERVED_CONCURRENCY_MIN


def unreserved(usage: Usage, *, account: int) -> int:
    """What is left of an account's concurrency for functions without a reservation, on demand."""
    return max(0, account - usage.reserved - usage.provisioned)


def check_reservation(wanted: int, *, others: int, account: int) -> None:
    """Refuse a reservation that leaves too little for the functions without one.

    ``others`` is what other functions have reserved, or have provisioned without a reservation;
    ``account`` is the account's concurrency. One that has less than the minimum keeps all of it.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    least = min(UNRESERVED_CONCURRENCY_MIN, account)
    if account - others - wanted < least:
        raise invalid_parameter(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least}]."
        )
