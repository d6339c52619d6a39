"""How much of an account's concurrency may be reserved. Pure.

Source: Lambda API, PutFunctionConcurrency; recorded text.
"""

from __future__ import annotations

from alonzo.model.errors import invalid_parameter
from alonzo.model.limits import UNRESERVED_CONCURRENCY_MIN


def check_reservation(wanted: int, *, others: int, account: int) -> None:
    """Refuse a reservation that leaves too little for the functions without one.

    ``others`` is what other functions have reserved, ``account`` the account's concurrency. An
    account that has less than the minimum keeps all of it.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    least = min(UNRESERVED_CONCURRENCY_MIN, account)
    if account - others - wanted < least:
        raise invalid_parameter(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least}]."
        )
