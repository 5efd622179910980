"""Whether an expression reads only what a real service exposes."""

from __future__ import annotations

import re

from tests.infra.promql import Selector, grouping_labels, selectors
from tests.infra.watched import ITS_OWN, TARGET_LABELS, Watched

# A variable of Grafana; `$__rate_interval` and the like stand in no matcher.
_VARIABLE = re.compile(r"\$\w+")


def check_expression(expression: str, seen: Watched) -> None:
    """Fail unless metrics, labels and matched values of an expression are the service's own."""
    found = selectors(expression)
    assert found, expression
    for selector in found:
        _check_selector(selector, seen)
    known = {label for selector in found for label in seen.labels_of(selector.metric)}
    assert grouping_labels(expression) <= known, expression


def _check_selector(selector: Selector, seen: Watched) -> None:
    labels = seen.labels_of(selector.metric)
    for label, operator, value in selector.matchers:
        assert label in labels, f"{selector.metric} has no label {label}"
        is_its_own = selector.metric in ITS_OWN or label in TARGET_LABELS
        if is_its_own or _VARIABLE.fullmatch(value):
            continue
        values = {one[label] for one in seen.series[selector.metric] if label in one}
        pattern = value if operator in ("=~", "!~") else re.escape(value)
        assert any(re.fullmatch(pattern, one) for one in values) or not value, selector
