"""The server's numbers for Prometheus, read when they are asked for: nothing here is called by a job.

Names are fleetccd_*, in seconds and bytes. docs/server.md has the table.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fleetcc import __version__
from fleetcc.server.stats import Histogram, Kind

if TYPE_CHECKING:
    from fleetcc.server.service import Service

# A value of the state as it is now, and the values of one label.
_Value = Callable[["Service"], float]
_Values = Callable[["Service"], Iterable[tuple[tuple[str, ...], float]]]


@dataclass(frozen=True, slots=True)
class _Row:
    """One metric without labels, or with those that are named."""

    name: str
    help: str
    value: _Value | None = None
    values: _Values | None = None
    labels: tuple[str, ...] = ()


def _labelled(counts: Mapping[Any, float]) -> Iterable[tuple[tuple[str, ...], float]]:
    return (((label,), value) for label, value in counts.items())


def _limits(service: "Service") -> Iterable[tuple[tuple[str, ...], float]]:
    limit = service.gate.limited_by
    return (((cause,), float(limit == cause)) for cause in ("load", "memory"))


def _build(_service: "Service") -> Iterable[tuple[tuple[str, ...], float]]:
    return (((__version__, os.uname().machine), 1.0),)


_GAUGES: Final = (
    _Row("fleetccd_build_info", "Always 1; which program this is.", values=_build,
         labels=("version", "machine")),
    _Row("fleetccd_start_time_seconds", "When the server started, as Unix time.", lambda s: s.started),
    _Row("fleetccd_draining", "1 while the server ends its jobs and takes no new ones.",
         lambda s: s.is_draining),
    _Row("fleetccd_slots", "Compilers that may run at most (--jobs).", lambda s: s.gate.slot_count),
    _Row("fleetccd_slots_usable", "Of those, as many as load and memory allow now.",
         lambda s: s.gate.capacity),
    _Row("fleetccd_slots_elsewhere", "Slots that other processes of the same state directory hold.",
         lambda s: s.gate.elsewhere),
    _Row("fleetccd_limited", "1 if this keeps slots from being used.", values=_limits, labels=("by",)),
    _Row("fleetccd_jobs_running", "Compilers that run now.", lambda s: s.gate.running),
    _Row("fleetccd_jobs_waiting", "Jobs that are here and have no slot yet.", lambda s: s.watch.waiting),
    _Row("fleetccd_jobs_wanted", "Jobs that connected agents have beyond those; some will go elsewhere.",
         lambda s: s.fleet.wanted),
    _Row("fleetccd_connections", "Connections of clients that are open.", lambda s: len(s.connections)),
    _Row("fleetccd_agents", "Agents of fleetcc that are connected.", lambda s: s.fleet.agents),
    _Row("fleetccd_compilers", "Compilers that are offered by their identity.",
         lambda s: len(s.fleet.compilers)),
    _Row("fleetccd_sandbox_available", "1 if jobs made of files can run here.",
         lambda s: s.fleet.files.sandbox is not None),
    _Row("fleetccd_store_bytes", "What the store of clients' files takes on disk.",
         lambda s: s.fleet.files.blob_counts.bytes),
    _Row("fleetccd_store_limit_bytes", "What it may take (--store-size).", lambda s: s.options.store_bytes),
    _Row("fleetccd_store_entries", "Files in the store.", lambda s: s.fleet.files.blob_counts.entries),
    _Row("fleetccd_replicas", "Replicas of clients' trees, also of clients that have left.",
         lambda s: s.fleet.files.replica_counts.entries),
    _Row("fleetccd_replica_bytes", "What they take on disk beside the store.",
         lambda s: s.fleet.files.replica_counts.bytes),
    _Row("fleetccd_load_average", "The machine's load average over one minute.", lambda s: s.gate.meter.load),
    _Row("fleetccd_load_limit", "The load up to which compilers are started (--load-limit); 0: any.",
         lambda s: s.options.load_limit),
    _Row("fleetccd_memory_available_bytes", "Memory that a new compiler could use.",
         lambda s: s.gate.meter.memory.available_bytes),
    _Row("fleetccd_memory_reserve_bytes", "Less than this, and no compiler is started (--memory-reserve).",
         lambda s: s.options.memory_reserve_bytes),
    _Row("fleetccd_memory_pressure_ratio", "Share of the last ten seconds in which a task waited for memory.",
         lambda s: s.gate.meter.memory.pressure_percent / 100),
    _Row("fleetccd_compiler_peak_bytes", "The most memory that one compiler has had since the start.",
         lambda s: s.stats.biggest.value),
)  # fmt: skip

_COUNTERS: Final = (
    _Row("fleetccd_accepted_connections", "Connections of clients that were let in.",
         lambda s: s.stats.accepted),
    _Row("fleetccd_received_bytes", "Bytes that clients have sent.", lambda s: s.stats.received),
    _Row("fleetccd_sent_bytes", "Bytes that clients were sent.", lambda s: s.stats.sent),
    _Row("fleetccd_grants", "Jobs that agents were asked for.", lambda s: s.stats.grants),
    _Row("fleetccd_jobs", "Jobs that have ended, by what they were made of and how they ended.",
         values=lambda s: s.stats.jobs.items(), labels=("kind", "outcome")),
    _Row("fleetccd_compiler_cpu_seconds", "Processor time of compilers that have ended.",
         values=lambda s: _labelled(s.stats.cpu_seconds), labels=("kind",)),
    _Row("fleetccd_refusals", "What was not served, by cause.",
         values=lambda s: _labelled(s.stats.refusals), labels=("cause",)),
    _Row("fleetccd_store_evictions", "Files that the store let go for lack of room.",
         lambda s: s.fleet.files.blob_counts.evictions),
    _Row("fleetccd_store_evicted_bytes", "What they took on disk.",
         lambda s: s.fleet.files.blob_counts.evicted_bytes),
    _Row("fleetccd_replica_evictions", "Replicas that had to go, or begin again, for lack of room.",
         lambda s: s.fleet.files.replica_counts.evictions),
)  # fmt: skip

_HISTOGRAMS: Final[
    tuple[tuple[str, str, Callable[["Service"], dict[Kind, Histogram]]], ...]
] = (
    ("fleetccd_compile_seconds", "How long compilers ran that have spoken.", lambda s: s.stats.compiling),
    ("fleetccd_waiting_seconds", "How long jobs were here before their compiler started.",
     lambda s: s.stats.waiting),
)  # fmt: skip


class _ServiceCollector(Collector):
    """Asks the server when somebody asks for the numbers."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Everything, as it is now."""
        service = self._service
        service.gate.look()
        for row in _GAUGES:
            yield _filled(row, GaugeMetricFamily(row.name, row.help, labels=row.labels), service)
        for row in _COUNTERS:
            yield _filled(row, CounterMetricFamily(row.name, row.help, labels=row.labels), service)
        for name, text, histograms in _HISTOGRAMS:
            family = HistogramMetricFamily(name, text, labels=("kind",))
            for kind, histogram in histograms(service).items():
                family.add_metric((kind,), _buckets(histogram), histogram.total)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the machine."""
        return ()


def make_registry(service: "Service") -> CollectorRegistry:
    """A registry of this server alone."""
    registry = CollectorRegistry()
    registry.register(_ServiceCollector(service))
    return registry


def _filled(
    row: _Row, family: GaugeMetricFamily | CounterMetricFamily, service: "Service"
) -> GaugeMetricFamily | CounterMetricFamily:
    if row.value is not None:
        family.add_metric((), float(row.value(service)))
    if row.values is not None:
        for labels, value in row.values(service):
            family.add_metric(labels, value)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus has them."""
    found, so_far = [], 0
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        so_far += count
        found.append(("+Inf" if bound is None else str(float(bound)), float(so_far)))
    return found
