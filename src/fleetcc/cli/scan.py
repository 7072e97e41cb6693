"""`fleetcc scan -- g++ …`: the files that a compile can read, found as they are found for a job."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from fleetcc.agent.scans import unit_of
from fleetcc.cli.typed_command import typed_command
from fleetcc.command.replica import SCANNED, LocalOnly, Shipment, replica_shipment
from fleetcc.errors import UsageError
from fleetcc.files.disk import RealDisk
from fleetcc.includes.closure import Closure
from fleetcc.includes.scanner import Scanner
from fleetcc.includes.unit import Search, absolute
from fleetcc.settings import printable
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.identify import identify
from fleetcc.toolchain.search import Searches, question
from fleetcc.toolchain.search_dependencies import dependencies


@dataclass(frozen=True, slots=True)
class _Command:
    """One command, where it was given."""

    program: bytes
    shipment: Shipment
    cwd: bytes
    environment: Mapping[bytes, bytes]


@dataclass(slots=True)
class _Report:
    """What was found; each file with why it is in the list."""

    files: dict[bytes, str] = field(default_factory=dict)
    directories: set[bytes] = field(default_factory=set)
    unresolved: list[tuple[str, str]] = field(default_factory=list)  # reason, where
    asked: list[str] = field(default_factory=list)  # the outcome of each `cc -M`
    search_seconds: float = 0.0
    scan_seconds: float = 0.0
    again_seconds: float = 0.0


@click.command(
    name="scan", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option("--json", "as_json", is_flag=True, help="Each file with its reason, and counts and times.")
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(words: tuple[str, ...], *, as_json: bool) -> None:
    """List the files that COMMAND can read: its sources, headers, and files that its options name.

    The list may hold more than one run reads; what could not be resolved is said on standard error, and
    makes the job ask `cc -M`, or travel otherwise. The compiler's own files are not in it.

    \b
    Example: fleetcc scan -- g++ -O2 -Iinclude -c x.cc
    """
    planned = _planned(words)
    if isinstance(planned, LocalOnly):
        detail = f": {printable(planned.detail)}" if planned.detail else ""
        click.echo(
            f"fleetcc: nothing to scan ({planned.reason.slug}): {planned.reason.text}{detail}", err=True
        )
        raise SystemExit(1)
    disk = RealDisk()
    try:
        report = _scanned(planned, disk)
    except UnidentifiedError as error:
        raise UsageError(error.sentence) from error
    finally:
        disk.close()
    if as_json:
        click.echo(_json(report))
    else:
        for path in report.files:
            click.echo(path)
    _say_unresolved(report)


def _planned(words: tuple[str, ...]) -> _Command | LocalOnly:
    program, argv = typed_command(words)
    cwd, environment = os.fsencode(os.getcwd()), os.environb
    compiler = identify(program, argv[0], environment)
    shipment = replica_shipment(argv, compiler, environment, _read_file)
    if isinstance(shipment, LocalOnly):
        return shipment
    return _Command(program, shipment, cwd, environment)


def _read_file(name: bytes) -> bytes | None:
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError:
        return None


def _scanned(given: _Command, disk: RealDisk) -> _Report:
    report, searches, scanner = _Report(), Searches(disk), Scanner(disk)
    shipment = given.shipment
    disk.begin()
    for index, language in enumerate(shipment.languages):
        if language not in SCANNED:
            report.files[absolute(given.cwd, shipment.sources[index])] = "source"
            continue
        start = time.perf_counter()
        unit = unit_of(given.shipment, index, _search(given, searches, language), given.cwd)
        searched = time.perf_counter()
        closure = scanner.scan(unit)
        scanned = time.perf_counter()
        disk.begin()
        scanner.scan(unit)
        report.again_seconds += time.perf_counter() - scanned
        report.search_seconds += searched - start
        report.scan_seconds += scanned - searched
        _take(report, given, index, closure)
    for path in shipment.files:
        whole = absolute(given.cwd, path)
        if disk.file(whole) is not None:
            report.files.setdefault(whole, "option")
    return report


def _search(given: _Command, searches: Searches, language: bytes) -> Search:
    shipment, environment, cwd = given.shipment, given.environment, given.cwd
    argv0, words = shipment.argv[0], shipment.search_words
    asked = question(given.program, argv0, environment, language, words, cwd)
    return searches.find(asked, environment, cwd)


def _take(report: _Report, given: _Command, index: int, closure: Closure) -> None:
    source = absolute(given.cwd, given.shipment.sources[index])
    for path in closure.files:
        report.files.setdefault(path, "source" if path == source else "scan")
    report.directories |= closure.directories
    report.unresolved += [(one.reason.slug, one.detail) for one in closure.unresolved]
    if not any(one.reason.preprocessor_knows for one in closure.unresolved):
        return
    argv = given.shipment.dependency_argv(index)
    listed = dependencies(given.program, argv, given.environment, given.cwd)
    report.asked.append(listed.error)
    for path in listed.paths or ():
        report.files.setdefault(absolute(given.cwd, path), "cc -M")


def _say_unresolved(report: _Report) -> None:
    for slug, detail in report.unresolved:
        click.echo(f"fleetcc: unresolved ({slug}): {printable(detail)}", err=True)
    for error in report.asked:
        outcome = f"which failed: {printable(error)}" if error else "and its answer is in the list"
        click.echo(f"fleetcc: the compiler's -M was asked, {outcome}", err=True)


def _json(report: _Report) -> str:
    return json.dumps(
        {
            "files": [{"path": os.fsdecode(path), "from": why} for path, why in report.files.items()],
            "unresolved": [{"reason": slug, "where": where} for slug, where in report.unresolved],
            "asked": [{"error": error or None} for error in report.asked],
            "counts": {"files": len(report.files), "directories": len(report.directories)},
            "seconds": {
                "search": round(report.search_seconds, 6),
                "scan": round(report.scan_seconds, 6),
                "again": round(report.again_seconds, 6),
            },
        },
        indent=1,
    )
