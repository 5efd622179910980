"""What is found in an expression is what it reads."""

from __future__ import annotations

from tests.infra.promql import Selector, grouping_labels, selectors

SLOW = """
histogram_quantile(0.9, sum by (endpoint, le) (rate(a_bucket{endpoint!="-", job=~"$job"}[5m])))
  > 1e-3
  unless on (job, instance) b_total
"""


def test_selectors_are_found() -> None:
    """Functions, keywords, groupings, numbers, ranges and label names are no metrics."""
    matchers = (("endpoint", "!=", "-"), ("job", "=~", "$job"))
    assert selectors(SLOW) == [Selector("a_bucket", matchers), Selector("b_total", ())]
    assert selectors('absent(up{job="a"}) or vector(0)') == [Selector("up", (("job", "=", "a"),))]
    assert selectors("a < on (job) group_left 1.5 * max by (job) (b)") == [
        Selector("a", ()),
        Selector("b", ()),
    ]


def test_grouping_labels_are_found() -> None:
    """Those of aggregations and of vector matching."""
    assert grouping_labels(SLOW) == {"endpoint", "le", "job", "instance"}
    assert grouping_labels("time() - a") == set()
