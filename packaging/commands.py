"""What `fleetcc` and `fleetccd` take, read from click: the source of completions and man pages.

This folder is no package, so that it does not hide the one of PyPI that has its name: the scripts are started
by their path, and find this module beside them.
"""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from fleetcc.cli import doctor_server, main
from fleetcc.cli.server_options import make_command
from fleetcc.model import Priority, Reason

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command."""

    names: tuple[str, ...]  # as typed: "-n", "--follow"; both names of --progress/--no-progress
    help: str  # one sentence or more; what click adds for defaults and ranges at the end
    metavar: str  # what stands for its value; empty: it is a flag
    choices: tuple[str, ...] = ()
    takes_path: bool = False
    value_may_be_missing: bool = False
    needs_equals: bool = False  # `--name value` is not understood


@dataclass(frozen=True, slots=True)
class Command:
    """A verb, a verb of a verb, or a program."""

    words: tuple[str, ...]  # ("fleetcc", "agent", "start")
    summary: str  # a few words, without full stop
    usage: str  # what follows the words: "[OPTIONS] COMMAND..."
    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    options: tuple[Option, ...]
    takes_command: bool  # what follows is a command line of its own
    verbs: tuple["Command", ...] = ()

    @property
    def name(self) -> str:
        """As in `fleetcc agent`."""
        return " ".join(self.words)


# Options that fleetcc itself takes; the launcher reads them, so no click command has them.
OWN_OPTIONS: Final = (
    Option(("--no-fallback",), "Before COMPILER: fail when no host can do the job; do not compile here.", ""),
    Option(
        ("--priority",),
        "Before COMPILER: how urgent the job is; hosts serve interactive, normal and ci as 4 to 2 to 1.",
        "CLASS",
        tuple(each.slug for each in Priority),
        needs_equals=True,
    ),
    Option(("--show-hosts",), "Print the hosts of the list, one to a line.", ""),
    Option(("-j",), "Print how many jobs the hosts of the list take together (for make -j).", ""),
    Option(("--version",), "Show the version and exit.", ""),
    Option(("--help",), "Show the verbs and these options, and exit.", ""),
)  # fmt: skip

_PATHS: Final = {"FILE", "DIR", "FILENAME"}
_SLUGS: Final = {"SLUG": tuple(reason.slug for reason in Reason)}
# Verbs whose arguments are a command line: a compile, or a whole build.
_COMMAND_METAVAR: Final = "COMMAND..."
_WIDE: Final = 10_000  # nothing is wrapped


def verbs() -> Iterator[Command]:
    """Every verb of `fleetcc`, as --help lists them; a verb that cannot be loaded is an error."""
    for verb, (module, summary) in main.VERBS.items():
        found = importlib.import_module(module).command
        yield _read(found, ("fleetcc", verb), summary)


def server_command() -> Command:
    """`fleetccd`, with its one verb."""
    found = _read(make_command(), ("fleetccd",), "compile server for fleetcc and distcc clients")
    examine = _read(
        doctor_server._command(),  # noqa: SLF001 - its main() answers, and tells nobody what it takes
        ("fleetccd", "doctor"),
        "would a server with these options work here",
    )
    known = {name for option in found.options for name in option.names}
    own = tuple(option for option in examine.options if not known.issuperset(option.names))
    examine = replace(examine, usage="[OPTIONS]", options=(*found.options, *own))
    return replace(found, verbs=(examine,))


def write_all(folder: Path, files: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Write generated files, and remove what is no longer generated; --check: only say what would change.

    The folder holds nothing else. The exit status: 1 when --check has found something.
    """
    wanted = {folder / name: text for name, text in files.items()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    stale += [path for path in folder.rglob("*") if path.is_file() and path not in wanted]
    if "--check" in arguments:
        for path in stale:
            sys.stdout.write(
                f"{path.relative_to(ROOT)} is not what packaging/{folder.name}.py makes: run it\n"
            )
        return bool(stale)
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


def _read(command: click.Command, words: tuple[str, ...], summary: str) -> Command:
    context = click.Context(command, info_name=" ".join(words), terminal_width=_WIDE, max_content_width=_WIDE)
    paragraphs, examples = _texts(f"{command.help or ''}\n\n{command.epilog or ''}")
    usage = [piece for piece in command.collect_usage_pieces(context) if piece != "[IGNORED]..."]
    inner = tuple(
        _read(child, (*words, name), _summary(child)) for name, child in _children(command, context)
    )
    return Command(
        words=words,
        summary=summary,
        usage=" ".join(usage),
        paragraphs=paragraphs,
        examples=examples,
        options=tuple(_options(command, context)),
        takes_command=any(_COMMAND_METAVAR in piece for piece in usage) and not inner,
        verbs=inner,
    )


def _children(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield name, child


def _summary(command: click.Command) -> str:
    text = " ".join((command.help or "").partition("\n\n")[0].split())
    return text[:1].lower() + text[1:].rstrip(".")


def _options(command: click.Command, context: click.Context) -> Iterator[Option]:
    for parameter in command.get_params(context):
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        record = parameter.get_help_record(context)
        choices = tuple(parameter.type.choices) if isinstance(parameter.type, click.Choice) else ()
        metavar = "" if _is_flag(parameter) else _bare(parameter.make_metavar(context))
        if choices:
            metavar = parameter.name.upper() if parameter.name else "CHOICE"
        name = metavar.replace("RANGE", "").strip()
        yield Option(
            names=(*parameter.opts, *parameter.secondary_opts),
            help=_spaced(record[1]) if record else "",
            metavar={"INTEGER": "N", "FLOAT": "NUMBER"}.get(name, name),
            choices=choices or _SLUGS.get(metavar, ()),
            takes_path=metavar in _PATHS or isinstance(parameter.type, click.Path | click.File),
            value_may_be_missing=_value_may_be_missing(parameter),
        )


def _value_may_be_missing(option: click.Option) -> bool:
    return not _is_flag(option) and option._flag_needs_value  # noqa: SLF001 - click has no public word for it


def _bare(metavar: str) -> str:
    """`N` of `[N]`; `[ADDR:]PORT` is something else."""
    return re.sub(r"^\[([^\[\]]*)\]$", r"\1", metavar)


def _is_flag(option: click.Option) -> bool:
    return option.is_flag or option.count


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _texts(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A command's help: paragraphs, and the command lines below "Example:"."""
    paragraphs: list[str] = []
    examples: list[str] = []
    for part in re.split(r"\n\s*\n", text):
        words = part.replace("\b", "").strip()
        found = re.match(r"Examples?:\s*", words)
        if found:
            examples += [line.strip() for line in words[found.end() :].splitlines()]
        elif words:
            paragraphs.append(_spaced(words))
    return tuple(paragraphs), tuple(examples)
