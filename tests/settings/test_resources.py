"""CPUs and memory come from the tightest limit that this process is under."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.errors import StartError
from offloader.settings.resources import cpu_count, memory_available, memory_bytes

MEMORY_TOTAL = "MemTotal:       16000000 kB\nMemFree:        1 kB\nMemAvailable:   12000000 kB\n"
TOTAL_BYTES = 16_000_000 * 1024
AVAILABLE_BYTES = 12_000_000 * 1024
MIB = 1 << 20


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write a fake file system and return its root."""
    for name, text in {"proc/meminfo": MEMORY_TOTAL, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_bare_machine(tmp_path: Path) -> None:
    """Without cgroups the scheduler's CPUs and the machine's memory count."""
    root = tree(tmp_path, {})
    assert (cpu_count(root, 8), memory_bytes(root)) == (8, TOTAL_BYTES)


def test_the_tightest_v2_limit_counts(tmp_path: Path) -> None:
    """A limit may stand on the own cgroup or any parent."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/container\n",
            "sys/fs/cgroup/cpu.max": "max 100000",
            "sys/fs/cgroup/memory.max": "max",
            "sys/fs/cgroup/pod/cpu.max": "300000 100000",
            "sys/fs/cgroup/pod/memory.max": "2147483648\n",
            "sys/fs/cgroup/pod/container/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/pod/container/memory.max": "4294967296",
        },
    )
    assert (cpu_count(root, 8), memory_bytes(root)) == (3, 2**31)


def test_a_v2_container_sees_its_own_mount(tmp_path: Path) -> None:
    """Inside a container the path is / or does not exist; the mount's root has the limits."""
    for path in ("/", "/docker/abc", "/../../other"):
        root = tree(
            tmp_path,
            {
                "proc/self/cgroup": f"0::{path}\n",
                "sys/fs/cgroup/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/memory.max": "1073741824\n",
            },
        )
        assert (cpu_count(root, 8), memory_bytes(root)) == (2, 2**30)


def test_the_tightest_v1_limit_counts(tmp_path: Path) -> None:
    """Each controller has its own hierarchy; -1 and the huge default are no limit."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/pod/c\n3:cpu,cpuacct:/pod/c\n1:name=systemd:/x\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu,cpuacct/pod/c/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/pod/c/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "536870912\n",
            "sys/fs/cgroup/memory/pod/c/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert (cpu_count(root, 8), memory_bytes(root)) == (3, 2**29)


def test_a_v1_mount_may_carry_one_controllers_name(tmp_path: Path) -> None:
    """cpu,cpuacct is also found as plain cpu."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "3:cpu,cpuacct:/gone\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert cpu_count(root, 8) == 1


def test_both_hierarchies_count(tmp_path: Path) -> None:
    """On a hybrid machine a limit of either version holds."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "2:memory:/\n0::/\n",
            "sys/fs/cgroup/unified/cpu.max": "200000 100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576",
        },
    )
    assert (cpu_count(root, 8), memory_bytes(root)) == (2, 2**20)


def test_affinity_and_the_machine_are_never_exceeded(tmp_path: Path) -> None:
    """A quota above the CPUs, or a limit above the memory, adds nothing."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "6400000 100000",
            "sys/fs/cgroup/memory.max": str(2**60),
        },
    )
    assert (cpu_count(root, 2), memory_bytes(root)) == (2, TOTAL_BYTES)


@pytest.mark.parametrize("text", ["", "junk", "100000", "0 0", "max max", "² 100000"])
def test_unreadable_quotas_are_no_quota(tmp_path: Path, text: str) -> None:
    """A file in no known form is passed over; there is always one CPU."""
    root = tree(tmp_path, {"proc/self/cgroup": "0::/\nrubbish\n", "sys/fs/cgroup/cpu.max": text})
    assert cpu_count(root, 4) == 4
    assert cpu_count(root, 0) == 1


def test_memory_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Without any number there is nothing to derive a limit from."""
    with pytest.raises(StartError) as refusal:
        memory_bytes(tmp_path)
    assert refusal.value.code == "memory_unknown"


V2_STAT = """anon 104857600
file 209715200
shmem 157286400
inactive_anon 262144000
active_anon 0
inactive_file 41943040
active_file 10485760
workingset_refault_file 7
"""
V1_STAT = """cache 1
active_file 1
inactive_file 1
total_cache 209715200
total_shmem 157286400
total_inactive_anon 262144000
total_inactive_file 41943040
total_active_file 10485760
"""


def own_group(root: Path, limit: str, usage: str, stat: str = "") -> Path:
    """Write a container's view of its v2 group and return the root."""
    base = "sys/fs/cgroup/memory"
    files = {f"{base}.max": limit, f"{base}.current": usage, f"{base}.stat": stat}
    return tree(root, {"proc/self/cgroup": "0::/\n", **files})


def test_v2_shared_memory_is_in_use_and_file_pages_are_not(tmp_path: Path) -> None:
    """Of 512 MiB with 300 used, the 50 of file pages can be dropped, the 150 shared cannot."""
    root = own_group(tmp_path, str(512 * MIB), str(300 * MIB), V2_STAT)
    assert memory_available(root) == 262 * MIB


def test_v1_counts_what_the_groups_below_use_too(tmp_path: Path) -> None:
    """In v1 the totals are those that the limit holds for; the plain lines are the own ones."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/unseen\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(512 * MIB),
            "sys/fs/cgroup/memory/memory.usage_in_bytes": str(300 * MIB),
            "sys/fs/cgroup/memory/memory.stat": V1_STAT,
        },
    )
    assert memory_available(root) == 262 * MIB


def test_the_nested_group_with_the_least_room_counts(tmp_path: Path) -> None:
    """A wide limit that neighbours have filled leaves less than a narrow one that is empty."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/container\n",
            "sys/fs/cgroup/pod/memory.max": str(1024 * MIB),
            "sys/fs/cgroup/pod/memory.current": str(1000 * MIB),
            "sys/fs/cgroup/pod/memory.stat": V2_STAT,
            "sys/fs/cgroup/pod/container/memory.max": str(256 * MIB),
            "sys/fs/cgroup/pod/container/memory.current": str(10 * MIB),
        },
    )
    assert memory_available(root) == 74 * MIB


@pytest.mark.parametrize("limit", ["max\n", str(TOTAL_BYTES), "", "junk", "-1", "9" * 21])
def test_never_more_than_the_machine_has_available(tmp_path: Path, limit: str) -> None:
    """Without a limit that can be read, or under a wider one, the machine's figure counts."""
    assert memory_available(own_group(tmp_path, limit, "0")) == AVAILABLE_BYTES


def test_usage_that_cannot_be_read_leaves_the_machines_figure(tmp_path: Path) -> None:
    """A limit alone does not say what is left of it."""
    assert memory_available(own_group(tmp_path, "1048576", "junk")) == AVAILABLE_BYTES


def test_garbage_among_the_figures_counts_as_used(tmp_path: Path) -> None:
    """Only lines in the known form make usage smaller."""
    stat = "inactive_file -5\nactive_file x\n\x00\ninactive_file"
    root = own_group(tmp_path, str(100 * MIB), str(40 * MIB), stat)
    assert memory_available(root) == 60 * MIB


def test_nothing_is_left_over_a_limit_or_when_nothing_can_be_read(tmp_path: Path) -> None:
    """A limit lowered below what is in use leaves 0 bytes, as no figure at all does."""
    assert memory_available(tmp_path) == 0
    assert memory_available(own_group(tmp_path, str(100 * MIB), str(200 * MIB))) == 0
