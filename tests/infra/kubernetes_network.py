"""What a NetworkPolicy lets in: which ports of the pods another pod reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra.kubernetes_patches import Document
from tests.infra.kubernetes_pod import Pod

_RULE_FIELDS = {"ports", "from"}
_PEER_FIELDS = {"namespaceSelector", "podSelector"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A pod that connects: the name of its namespace, which is that one's label, and its labels."""

    namespace: str
    labels: Mapping[str, str]


def reached(policy: Document, pod: Pod, caller: Caller) -> set[int]:
    """Return the ports of a selected pod that a caller reaches; fail on what is not known here."""
    spec = policy["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    found: set[int] = set()
    for rule in spec["ingress"]:
        assert rule.keys() <= _RULE_FIELDS, rule
        peers = rule.get("from")
        home = policy["metadata"]["namespace"]
        if peers is None or any(_is_let_in(peer, caller, home) for peer in peers):
            # A rule without ports is for all of them.
            ports = [one["port"] for one in rule.get("ports") or pod.container["ports"]]
            found |= {pod.port(one) for one in ports}
    return found


def _is_let_in(peer: Document, caller: Caller, home: str) -> bool:
    """Tell whether a peer is the caller: without a namespace it is one of the policy's own."""
    assert peer.keys() <= _PEER_FIELDS, peer
    if "namespaceSelector" in peer:
        named = {"kubernetes.io/metadata.name": caller.namespace}
        if not _matches(peer["namespaceSelector"], named):
            return False
    elif caller.namespace != home:
        return False
    return _matches(peer.get("podSelector", {}), caller.labels)


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, selector
    return bool(selector.get("matchLabels", {}).items() <= labels.items())
