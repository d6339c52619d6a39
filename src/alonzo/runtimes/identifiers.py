"""Every value of ``Runtime`` that AWS knows, with its dates.

Source: Lambda developer guide, runtimes, as of late 2026: the tables of supported and of
deprecated runtimes. The guide gives the first day on which creating or updating is refused; it
becomes the last day on which it is accepted.
"""

from __future__ import annotations

from datetime import date, timedelta

from alonzo.runtimes.base import RuntimeIdentifier

#: identifier, family, deprecated on, create refused from, update refused from; oldest first.
_TABLE = """
nodejs           nodejs    2016-10-31  2016-10-31  2016-10-31
nodejs4.3        nodejs    2020-03-05  2020-02-03  2020-03-05
nodejs4.3-edge   nodejs    2020-03-05  2020-02-03  2020-03-05
nodejs6.10       nodejs    2019-08-12  2019-07-12  2019-08-12
nodejs8.10       nodejs    2020-03-06  2020-02-04  2020-03-06
nodejs10.x       nodejs    2021-07-30  2021-07-30  2022-02-14
nodejs12.x       nodejs    2023-03-31  2023-03-31  2023-04-30
nodejs14.x       nodejs    2023-12-04  2024-01-09  2027-03-03
nodejs16.x       nodejs    2024-06-12  2027-02-01  2027-03-03
nodejs18.x       nodejs    2025-09-01  2027-02-01  2027-03-03
nodejs20.x       nodejs    2026-04-30  2027-02-01  2027-03-03
nodejs22.x       nodejs    2027-04-30  2027-06-01  2027-07-01
nodejs24.x       nodejs    2028-04-30  2028-06-01  2028-07-01
nodejs26.x       nodejs    -           -           -
python2.7        python    2021-07-15  2021-07-15  2022-05-30
python3.6        python    2022-07-18  2022-07-18  2022-08-29
python3.7        python    2023-12-04  2024-01-09  2027-03-03
python3.8        python    2024-10-14  2027-02-01  2027-03-03
python3.9        python    2025-12-15  2027-02-01  2027-03-03
python3.10       python    2026-10-31  2027-02-01  2027-03-03
python3.11       python    2027-06-30  2027-07-31  2027-08-31
python3.12       python    2028-10-31  2028-11-30  2029-01-10
python3.13       python    2029-06-30  2029-07-31  2029-08-31
python3.14       python    2029-06-30  2029-07-31  2029-08-31
python3.15       python    -           -           -
java8            java      2024-01-08  2024-02-08  2027-03-03
java8.al2        java      2027-06-30  2027-07-31  2027-08-31
java8.al2023     java      -           -           -
java11           java      2027-06-30  2027-07-31  2027-08-31
java11.al2023    java      -           -           -
java17           java      2027-06-30  2027-07-31  2027-08-31
java17.al2023    java      -           -           -
java21           java      2029-06-30  2029-07-31  2029-08-31
java25           java      2029-06-30  2029-07-31  2029-08-31
ruby2.5          ruby      2021-07-30  2021-07-30  2022-03-31
ruby2.7          ruby      2023-12-07  2024-01-09  2027-03-03
ruby3.2          ruby      2026-03-31  2027-02-01  2027-03-03
ruby3.3          ruby      2027-03-31  2027-04-30  2027-05-31
ruby3.4          ruby      2028-03-31  2028-04-30  2028-05-31
ruby4.0          ruby      2029-03-31  2029-04-30  2029-05-31
dotnetcore1.0    dotnet    2019-06-27  2019-06-27  2019-07-30
dotnetcore2.0    dotnet    2019-05-30  2019-05-30  2019-05-30
dotnetcore2.1    dotnet    2022-01-05  2022-01-05  2022-04-13
dotnetcore3.1    dotnet    2023-04-03  2023-04-03  2023-05-03
dotnet6          dotnet    2024-12-20  2027-02-01  2027-03-03
dotnet8          dotnet    2026-11-10  2027-02-01  2027-03-03
dotnet10         dotnet    2028-11-14  2028-12-14  2029-01-15
go1.x            go        2024-01-08  2024-02-08  2027-03-03
provided         provided  2024-01-08  2024-02-08  2027-03-03
provided.al2     provided  2026-07-31  2027-02-01  2027-03-03
provided.al2023  provided  2029-06-30  2029-07-31  2029-08-31
custom           custom    -           -           -
"""


def _date(text: str) -> date | None:
    return None if text == "-" else date.fromisoformat(text)


def _day_before(text: str) -> date | None:
    refused_from = _date(text)
    return refused_from - timedelta(days=1) if refused_from else None


def _identifier(line: str) -> RuntimeIdentifier:
    name, family, deprecated, create, update = line.split()
    return RuntimeIdentifier(
        name, family, _date(deprecated), _day_before(create), _day_before(update)
    )


#: Every identifier, grouped by family, each family oldest first.
IDENTIFIERS = tuple(_identifier(line) for line in _TABLE.strip().splitlines())


def of_family(family: str) -> tuple[RuntimeIdentifier, ...]:
    """The identifiers of one family, oldest first."""
    return tuple(known for known in IDENTIFIERS if known.family == family)
