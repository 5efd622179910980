"""infra/kubernetes/README.md: its commands name what there is, its figures are the manifests'."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.docs.markdown import ROOT, blocks
from tests.infra.kubernetes_pod import environ_of, pod_of
from tests.infra.kubernetes_render import ENTRY, FOLDER, RENDERINGS, SECRET
from tests.infra.test_kubernetes_scaling import SCALED, fewest, scaler

PAGE = FOLDER / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)
    for block in blocks(PAGE)
    if block.language == "sh"
    for line in block.text.splitlines()
]
ROW = re.compile(r"^\| `(?:overlays/)?([\w-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_commands_name_what_there_is() -> None:
    """Folders, files, namespace and workload of each kubectl command exist."""
    calls = [words for words in COMMANDS if words[0] == "kubectl"]
    assert len(calls) == 6
    for words in calls:
        for flag, name in (("-k", ENTRY), ("kustomize", ENTRY), ("-f", "")):
            if flag in words:
                assert (ROOT / words[words.index(flag) + 1] / name).exists(), words
        if "-n" in words:
            assert words[words.index("-n") + 1] == SECRET["metadata"]["namespace"]
        named = [word for word in words if word.startswith("deployment/")]
        assert set(named) <= {
            f"deployment/{pod_of(RENDERINGS['volume']).workload['metadata']['name']}"
        }


def test_the_secret_is_made_as_the_pods_want_it() -> None:
    """Its name and its two keys are those of the example, of which a test says they are mounted."""
    (words,) = (one for one in COMMANDS if "secret" in one)
    at = words.index("generic")
    assert words[at + 1] == SECRET["metadata"]["name"]
    files = [word.partition("=")[2] for word in words if word.startswith("--from-file=")]
    assert sorted(files) == sorted(SECRET["stringData"])


def test_the_table_is_complete() -> None:
    """Each rendering has its row, with its kind and its number of replicas."""
    found = {match[1]: match[2] for match in ROW.finditer(TEXT)}
    assert found.keys() == RENDERINGS.keys()
    for name, told in found.items():
        made = RENDERINGS[name]
        if name in SCALED:
            assert told.startswith(f"{fewest(made)} to {scaler(made)['maxReplicas']}, by ")
        else:
            assert told == f"{pod_of(made).workload['kind']}, {fewest(made)}"


@pytest.mark.parametrize("name", RENDERINGS)
def test_figures_are_those_of_the_manifests(name: str) -> None:
    """The steps of a rollout, the grace period, and how long the startup probe waits."""
    pod, environ = pod_of(RENDERINGS[name]), environ_of(RENDERINGS[name])
    sleep = pod.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(environ["OFFLOADER_DRAIN_SECONDS"])
    shutdown = int(environ["OFFLOADER_SHUTDOWN_SECONDS"])
    grace = pod.spec["terminationGracePeriodSeconds"]
    startup = pod.container["startupProbe"]
    for told in (
        f"| `preStop`: the kubelet's sleep | {sleep} |",
        f"| drain: `OFFLOADER_DRAIN_SECONDS` after SIGTERM | {drain} |",
        f"| `OFFLOADER_SHUTDOWN_SECONDS` | at most {shutdown} |",
        f"| reserve | {grace - sleep - drain - shutdown} |",
        f"`terminationGracePeriodSeconds` is {grace}",
        f"waits for {startup['periodSeconds'] * startup['failureThreshold']} s",
    ):
        assert told in TEXT, told
