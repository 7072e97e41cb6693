"""The numbers for Prometheus; and that alerts, dashboard and documentation know no others."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.exposition import generate_latest as write_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from fleetcc.server.access import parse_access_list
from fleetcc.server.compilers import CompilerRules
from fleetcc.server.metrics import make_registry
from fleetcc.server.options import ServerOptions
from fleetcc.server.service import Service
from fleetcc.server.stats import CAUSES

ROOT = Path(__file__).parents[3]
NAME = re.compile(r"\bfleetccd_[a-z_]+\b")


@pytest.fixture
async def service(tmp_path):
    options = ServerOptions(
        access=parse_access_list((), private=False),
        compilers=CompilerRules(b"/nonexistent", None, 1, insecure=False),
        state_directory=str(tmp_path / "state"), temporary_directory=str(tmp_path),
        slots=3, load_limit=4.0, store_bytes=1 << 20, job_memory_bytes=0, job_disk_bytes=1 << 20,
        memory_reserve_bytes=5, queue_timeout_seconds=60, io_timeout_seconds=30, ping_seconds=10,
        job_lifetime_seconds=0, drain_timeout_seconds=1, lifetime_seconds=0, max_waiting=10,
        is_announced=False, is_watched=True,
    )  # fmt: skip
    (tmp_path / "state").mkdir()
    made = Service(options)
    yield made
    made.close()


@pytest.fixture
async def registry(service):
    return make_registry(service)


def names_of(registry) -> set[str]:
    """Of the families, and of the series that a query can name."""
    return {
        name
        for family in registry.collect()
        for name in (family.name, *(sample.name for sample in family.samples))
    }


async def test_values_are_those_of_the_server(service, registry):
    life = service.watch.job("pump", "red", "a.c", "gcc")
    assert registry.get_sample_value("fleetccd_slots") == 3
    assert registry.get_sample_value("fleetccd_jobs_waiting") == 1
    assert registry.get_sample_value("fleetccd_load_limit") == 4.0
    assert registry.get_sample_value("fleetccd_store_limit_bytes") == 1 << 20
    assert registry.get_sample_value("fleetccd_memory_reserve_bytes") == 5
    assert registry.get_sample_value("fleetccd_memory_available_bytes") > 0
    assert registry.get_sample_value("fleetccd_sandbox_available") == 0
    assert registry.get_sample_value("fleetccd_draining") == 0

    life.begins(0)
    life.cpu_seconds = 2.0
    life.is_compiled()
    life.end("ok", 0, 7)
    service.stats.sent += 7
    service.stats.grants += 2
    service.drop_waiting()
    assert registry.get_sample_value("fleetccd_jobs_total", {"kind": "pump", "outcome": "ok"}) == 1
    assert registry.get_sample_value("fleetccd_compile_seconds_count", {"kind": "pump"}) == 1
    assert registry.get_sample_value("fleetccd_waiting_seconds_count", {"kind": "pump"}) == 1
    assert registry.get_sample_value("fleetccd_compiler_cpu_seconds_total", {"kind": "pump"}) == 2
    assert registry.get_sample_value("fleetccd_sent_bytes_total") == 7
    assert registry.get_sample_value("fleetccd_grants_total") == 2
    assert registry.get_sample_value("fleetccd_draining") == 1


async def test_buckets_are_cumulative(service, registry):
    for seconds in (0.01, 0.07, 1000.0):
        service.stats.compiling["text"].add(seconds)

    def bucket(bound: str) -> float | None:
        labels = {"kind": "text", "le": bound}
        found: float | None = registry.get_sample_value("fleetccd_compile_seconds_bucket", labels)
        return found

    assert [bucket(bound) for bound in ("0.05", "0.1", "320.0", "+Inf")] == [1, 2, 2, 3]
    assert registry.get_sample_value("fleetccd_compile_seconds_sum", {"kind": "text"}) == pytest.approx(
        1000.08
    )


@pytest.mark.parametrize("limit", ["", "load", "memory"])
async def test_what_limits_is_one_of_two(service, registry, monkeypatch, limit):
    monkeypatch.setattr(service.gate.meter, "limited_by", lambda _running: limit)
    found = {by: registry.get_sample_value("fleetccd_limited", {"by": by}) for by in ("load", "memory")}
    assert found == {by: float(by == limit) for by in found}


async def test_every_cause_has_a_series_from_the_start(registry):
    found = {
        cause: registry.get_sample_value("fleetccd_refusals_total", {"cause": cause}) for cause in CAUSES
    }
    assert set(found.values()) == {0}


async def test_every_metric_has_a_help_text_and_a_name_in_base_units(registry):
    for family in registry.collect():
        assert family.name.startswith("fleetccd_")
        assert family.documentation.endswith(".")
        assert not re.search(r"milli|minutes|kilo|mega|percent", family.name)


async def test_the_text_can_be_read_back(registry):
    families = list(parse_openmetrics(write_openmetrics(registry).decode()))
    assert {family.name for family in families} == {family.name for family in registry.collect()}


async def test_alerts_use_no_other_names(registry):
    text = (ROOT / "packaging/prometheus/alerts.yml").read_text()
    used = {
        name
        for line in text.splitlines()
        if "expr" in line or "fleetccd_" in line
        for name in NAME.findall(line)
    }
    assert len(used) > 8
    assert used <= names_of(registry)


async def test_the_dashboard_uses_no_other_names_and_leaves_none_out(registry):
    board = json.loads((ROOT / "packaging/grafana/fleetcc.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    expressions += [variable.get("definition", "") for variable in board["templating"]["list"]]
    used = {name for expression in expressions for name in NAME.findall(expression)}
    assert used <= names_of(registry)
    # Every family is drawn but for those that are one value for a server's whole life.
    families = {family.name for family in registry.collect()}
    drawn = {name.removesuffix("_total").removesuffix("_bucket") for name in used}
    assert families - drawn <= {"fleetccd_build_info", "fleetccd_start_time_seconds"} | NOT_DRAWN


# Counts that say less on a screen than the bytes beside them.
NOT_DRAWN = {
    "fleetccd_build", "fleetccd_compilers", "fleetccd_store_evictions", "fleetccd_replica_evictions",
}  # fmt: skip


async def test_panels_do_not_overlap(registry):
    board = json.loads((ROOT / "packaging/grafana/fleetcc.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


async def test_the_documentation_has_every_metric_and_no_other(registry):
    text = (ROOT / "docs/server.md").read_text()
    section = text.partition("## Metrics")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(fleetccd_[a-z_]+)", section, re.MULTILINE))
    assert told == {
        family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()
    }
