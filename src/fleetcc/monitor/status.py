"""The agent's status for people: one screen."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fleetcc.model import Reason

_REASONS: Final = {reason.slug: reason for reason in Reason}
_WIDEST: Final = 60


def status_text(status: Mapping[str, Any]) -> str:
    """Agent, hosts, slots, jobs now, and why jobs ran where they ran."""
    return "\n".join([*_agent(status), *_hosts(status), *_jobs(status), *_reasons(status)])


def _agent(status: Mapping[str, Any]) -> Iterable[str]:
    local = status["local"]
    leaving = ", leaving" if status["draining"] else ""
    yield f"agent {status['version']}, pid {status['pid']}, up {status['uptime_seconds']:.0f} s{leaving}"
    yield f"here: {local['compiling']} compiling, {local['preprocessing']} preprocessing"
    yield f"waiting: {local['waiting']} for a local slot, {status['waiting_for_hosts']} for a host"
    yield from _files(status)
    races = status["races"]
    if races["started"]:
        cost = f"{races['seconds']:.0f} s of {races['of_seconds']:.0f} s of work"
        yield f"races: {races['started']} jobs ran on two hosts, {races['won']} ended sooner for it; {cost}"


def _files(status: Mapping[str, Any]) -> Iterable[str]:
    files, verified = status.get("files", {}), status.get("verified", 0)
    asked = files.get("asked_preprocessor", {})
    if files.get("scans"):
        why = ", ".join(f"{reason} {count}" for reason, count in sorted(asked.items()))
        more = f", cc -M asked {sum(asked.values())} times ({why})" if asked else ""
        missed = f", {files['missed']} compiles lacked a file" if files.get("missed") else ""
        yield f"files: {files['scans']} scans{more}{missed}"
    if verified:
        yield f"verified: {verified} compiles, {status['differed']} differed"


def _hosts(status: Mapping[str, Any]) -> Iterable[str]:
    if not status["hosts"]:
        yield "hosts: no job has named any yet"
        return
    yield "hosts:"
    for host in status["hosts"]:
        slots = "#" * host["running"] + "." * max(0, host["limit"] - host["running"])
        alone = (
            f"  left alone for {host['left_alone_seconds']:.0f} s after a failure"
            if host["left_alone_seconds"]
            else ""
        )
        counts = f"{host['running']}/{host['limit']}"
        state = "" if host["state"] == "up" else f", {host['state']}"
        speed = f", speed {host['speed']:g}" if host["server"] else ""
        yield f"  {host['id']:<30} [{slots[:_WIDEST]}] {counts} {host['server']}{speed}{state}{alone}"


def _jobs(status: Mapping[str, Any]) -> Iterable[str]:
    yield f"jobs: {len(status['jobs'])} now, {status['total']} so far, {status['cancelled']} cancelled"
    for job in status["jobs"]:
        where = job["host"] or "-"
        yield f"  {job['state']:<13} {job['seconds']:7.1f} s  {where:<24} {job['label']}"


def _reasons(status: Mapping[str, Any]) -> Iterable[str]:
    counts = sorted(status["by_reason"].items(), key=lambda item: (-item[1], item[0]))
    if counts:
        yield "ended, by reason:"
    for slug, count in counts:
        reason = _REASONS.get(slug)
        yield f"  {count:6}  {slug:<20} {reason.text if reason else ''}"
