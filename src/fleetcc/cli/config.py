"""`fleetcc config`: every setting, its value and where that came from."""

import json
import os
from typing import Final

import click

from fleetcc.errors import UsageError
from fleetcc.settings import (
    TABLE,
    Setting,
    SettingValue,
    Value,
    explain_settings,
    printable,
    unknown_variables,
)

# A longer value pushes only its own line, not the whole column.
_WIDEST_VALUE: Final = 44


@click.command(name="config", short_help="each setting, its value and where that came from")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
@click.option("--markdown", is_flag=True, hidden=True, help="Print the tables of docs/settings.md.")
@click.pass_context
def command(context: click.Context, *, as_json: bool, markdown: bool) -> None:
    """Print every setting, its value and where that came from.

    Sources, the first that has a value wins: FLEETCC_* variables, their DISTCC_* twins,
    ~/.config/fleetcc/config.toml, /etc/fleetcc/config.toml, the default.
    """
    if markdown:
        click.echo(reference())
        return
    try:
        found = explain_settings(os.environb)
    except UsageError as error:
        click.echo(f"fleetcc: {error}", err=True)
        context.exit(int(error.exit_code))
    click.echo(_as_json(found) if as_json else _as_text(found))
    for variable, meant in unknown_variables(os.environb):
        remedy = f"; did you mean {meant}?" if meant else ""
        click.echo(f"fleetcc: {printable(variable)} is set, but nothing reads it{remedy}", err=True)


def reference() -> str:
    """The table of docs/settings.md."""
    lines = ["| key | variable | distcc's | takes | default | meaning |", "|---|---|---|---|---|---|"]
    for setting in TABLE:
        key = f"`{setting.name}`" if setting.in_toml else f"({setting.name})"
        cells = (
            key,
            _code(setting.variable),
            _code(setting.twin),
            _takes(setting),
            _default(setting),
            setting.help,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _as_json(found: list[SettingValue]) -> str:
    rows = [{"name": s.name, "value": s.value, "origin": s.origin, "help": s.help} for s in found]
    return json.dumps(rows, indent=2)


def _as_text(found: list[SettingValue]) -> str:
    shown = [(setting.name, _shown(setting.value), setting.origin) for setting in found]
    names = max(len(name) for name, _, _ in shown)
    values = min(_WIDEST_VALUE, max(len(value) for _, value, _ in shown))
    return "\n".join(f"{name:{names}}  {value:{values}}  {origin}" for name, value, origin in shown)


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return printable(" ".join(value))
    if isinstance(value, str):
        return printable(value) or '""'
    return f"{value:g}"


def _code(name: str | None) -> str:
    return f"`{name}`" if name else ""


def _takes(setting: Setting) -> str:
    return setting.kind.in_text if setting.variable else ""


def _default(setting: Setting) -> str:
    if setting.default_text is not None:
        return setting.default_text
    return "not set" if setting.default is None else f"`{_shown(setting.default)}`"
