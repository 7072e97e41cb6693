"""The kernel's figures, on this machine and on ones that are written down."""

import builtins
import io

import pytest

from fleetcc.server import machine

GIB = 1 << 30


@pytest.fixture
def kernel(monkeypatch):
    """A kernel that tells what the test has written down, and nothing else."""
    files: dict[str, str] = {}

    def read(path, *arguments, **settings):
        if path in files:
            return io.StringIO(files[path])
        raise FileNotFoundError(path)

    monkeypatch.setattr(builtins, "open", read)
    return files


def test_this_machine_has_processors_memory_and_a_load():
    assert machine.usable_cpus() >= 1
    assert machine.load_average() >= 0
    memory = machine.memory()
    assert 0 < memory.available_bytes <= memory.total_bytes


def test_load_and_memory_are_read(kernel):
    kernel["/proc/loadavg"] = "3.25 2.00 1.00 2/345 6789\n"
    kernel["/proc/meminfo"] = "MemTotal:       8388608 kB\nMemFree: 1024 kB\nMemAvailable:   4194304 kB\n"
    kernel["/proc/pressure/memory"] = (
        "some avg10=12.50 avg60=3.00 avg300=1.00 total=99\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=9\n"
    )
    assert machine.load_average() == 3.25
    memory = machine.memory()
    assert (memory.total_bytes, memory.available_bytes) == (8 * GIB, 4 * GIB)
    assert memory.pressure_percent == 12.5


def test_the_tightest_control_group_around_us_counts(kernel, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    kernel["/proc/meminfo"] = "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n"
    kernel["/proc/self/cgroup"] = "0::/system.slice/fleetccd.service\n"
    inner, outer = "/sys/fs/cgroup/system.slice/fleetccd.service", "/sys/fs/cgroup/system.slice"
    kernel[f"{inner}/memory.max"] = "max\n"
    kernel[f"{inner}/memory.current"] = "1000\n"
    kernel[f"{inner}/cpu.max"] = "max 100000\n"
    kernel[f"{outer}/memory.max"] = f"{2 * GIB}\n"
    kernel[f"{outer}/memory.current"] = f"{GIB + GIB // 2}\n"
    kernel[f"{outer}/memory.stat"] = f"anon 5\ninactive_file {GIB // 4}\n"
    kernel[f"{outer}/cpu.max"] = "350000 100000\n"
    memory = machine.memory()
    assert (memory.total_bytes, memory.available_bytes) == (2 * GIB, 3 * GIB // 4)
    assert machine.usable_cpus() == 4


def test_a_kernel_that_tells_nothing_sets_no_limits(kernel, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert machine.usable_cpus() == 2
    assert machine.load_average() == 0.0
    assert machine.memory().pressure_percent == 0.0
