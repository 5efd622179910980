"""The works: what is asked, of which endpoint, and as which SQL a peer answers it.

Each work has requests made ahead, with keys that vary, so that nothing is answered from the memory
of the request before. A tenant's work carries the tenant's token, and the tenant is the first
parameter of the SQL; the others follow in the order of `params`.
"""

from __future__ import annotations

from dataclasses import dataclass

SNAPSHOT = "bench_r0001"


@dataclass(frozen=True, slots=True)
class Question:
    """One endpoint as the peers see it; `raw` columns hold JSON text that goes in as it is."""

    endpoint: str
    table: str
    params: tuple[str, ...]
    sql: str
    limit: int = 50
    is_tenants: bool = True
    raw: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What one measurement asks: a question, in which way, over how many connections."""

    name: str
    title: str
    question: Question
    is_conditional: bool = False
    connections: int = 32


_SUMS = (
    "sum(calls)::bigint AS calls, count(account) AS accounts, max(cost) AS cost,"
    " max(day)::varchar AS last_day"
)
OF_ACCOUNT = Question(
    "usage_of_account",
    "usage",
    ("account",),
    "SELECT account, day::varchar AS day, calls, cost, region FROM usage"
    " WHERE tenant = $1 AND account = $2 ORDER BY day LIMIT 50",
)
TOTAL = Question("usage_total", "usage", (), f"SELECT {_SUMS} FROM usage WHERE tenant = $1")
TOTAL_CACHED = Question("usage_total_cached", "usage", (), TOTAL.sql)
BY_REGION = Question(
    "usage_by_region",
    "usage",
    (),
    f"SELECT region, {_SUMS} FROM usage WHERE tenant = $1 GROUP BY region ORDER BY region LIMIT 50",
)
TOP_ACCOUNTS = Question(
    "top_accounts",
    "usage",
    (),
    "SELECT account, sum(calls)::bigint AS calls, max(day)::varchar AS last_day FROM usage"
    " WHERE tenant = $1 GROUP BY account ORDER BY 2 DESC, account LIMIT 10",
    limit=10,
)
ORDER_LINES = Question(
    "order_lines",
    "orders",
    ("order_id",),
    "SELECT order_id, lines FROM orders WHERE tenant = $1 AND order_id = $2 LIMIT 50",
    raw=("lines",),
)
ROUTE = Question(
    "flights_by_route",
    "flights",
    ("origin", "dest", "carrier"),
    "SELECT time_hour::varchar AS time_hour, carrier, flight, tailnum, dep_time, dep_delay,"
    " arr_delay, distance FROM flights WHERE origin = $1 AND dest = $2 AND carrier = $3"
    " ORDER BY time_hour LIMIT 25",
    limit=25,
    is_tenants=False,
)
CARRIERS = Question(
    "flights_by_carrier",
    "flights",
    ("origin",),
    "SELECT carrier, count(flight_date) AS flights, avg(dep_delay)::double precision AS delay_avg,"
    " max(dep_delay) AS delay_max, sum(distance)::bigint AS distance FROM flights"
    " WHERE origin = $1 GROUP BY carrier ORDER BY flights DESC, carrier LIMIT 50",
    is_tenants=False,
)
QUESTIONS = {
    question.endpoint: question
    for question in (
        OF_ACCOUNT,
        TOTAL,
        TOTAL_CACHED,
        BY_REGION,
        TOP_ACCOUNTS,
        ORDER_LINES,
        ROUTE,
        CARRIERS,
    )
}
WORKS = {
    work.name: work
    for work in (
        Work("lookup", "look-up of one account", OF_ACCOUNT),
        Work("not_modified", "304 by ETag", OF_ACCOUNT, is_conditional=True),
        Work("total", "sum, count, max of a tenant", TOTAL),
        Work("by_region", "the same, by region", BY_REGION),
        Work("top", "ten largest accounts of a tenant", TOP_ACCOUNTS),
        Work("cached", "sum, count, max of a tenant, cached", TOTAL_CACHED),
        Work("nested", "nested rows, 50 KB", ORDER_LINES),
        Work("route", "flights of a route, 25 rows", ROUTE),
        # A heavy scan: the service sheds what is more than 10 at a time.
        Work("carriers", "flights and delays by carrier", CARRIERS, connections=8),
    )
}
