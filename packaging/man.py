"""Writes packaging/man: fleetcc(1), a page for each verb, fleetccd(8) and fleetcc-hosts(5).

They are made of the click commands, the table of settings and docs/hosts.md. Run it after one of these has
changed; with --check it only says whether that was forgotten. Nothing is needed to read them but man.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import mdoc
from commands import OWN_OPTIONS, ROOT, Command, Option, server_command, verbs, write_all

from fleetcc import __version__
from fleetcc.errors import ExitCode
from fleetcc.settings.table import TABLE, Setting

FOLDER: Final = ROOT / "packaging" / "man"
# The pages change with their sources, so a date of their own would only go stale; mdoc wants one.
DATE: Final = "January 1, 2026"

_STATUSES: Final = {
    ExitCode.GENERAL: "something failed that has no status of its own",
    ExitCode.BAD_ARGUMENTS: "wrong options, or settings that cannot be read",
    ExitCode.BIND_FAILED: "an address to listen on is taken",
    ExitCode.CONNECT_FAILED: "a host could not be reached",
    ExitCode.OUT_OF_MEMORY: "there is no memory",
    ExitCode.BAD_HOST_LIST: "the host list cannot be read",
    ExitCode.IO_ERROR: "reading or writing failed",
    ExitCode.PROTOCOL_ERROR: "a host broke the protocol",
    ExitCode.COMPILER_MISSING: "there is no such compiler",
    ExitCode.RECURSION: "a compiler on PATH leads back to fleetcc",
    ExitCode.ACCESS_DENIED: "a host refused",
    ExitCode.NO_SUCH_FILE: "a file is not there",
    ExitCode.NO_HOSTS: "no host could do the job, and --no-fallback was given",
    ExitCode.TIMEOUT: "a host did not answer in time",
}

_MODES: Final = (
    "A distributed C and C++ compiler. A compile runs on whichever machine of the fleet is free first, with "
    "exactly the bytes that the local compiler would have produced. Servers need no compiler: a compile "
    "travels as files, each sent once, the compiler among them.",
    "`fleetcc` in front of a compiler's command line hands the compile to this user's agent, which the "
    "first compile starts. What cannot travel, or what no host can do, is compiled here. A link named `gcc`, "
    "`g++`, `clang` or the like that is found first on PATH does the same without a change of the build.",
)
_WAYS: Final = (
    ("make", ['make -j40 CC="fleetcc gcc" CXX="fleetcc g++"']),
    ("CMake", ["cmake -DCMAKE_C_COMPILER_LAUNCHER=fleetcc -DCMAKE_CXX_COMPILER_LAUNCHER=fleetcc ..."]),
    ("ccache", ["CCACHE_PREFIX=fleetcc make"]),
    ("anything", ["fleetcc run -- make"]),
)
_SIGNALS: Final = (
    (
        "SIGTERM, SIGINT",
        "Take no more jobs, let those that run end (`--drain-timeout`), leave. A second one ends them.",
    ),
    ("SIGHUP", "Open the log again."),
)
_SERVER_VARIABLES: Final = (
    ("FLEETCCD_STATE_DIR", "The state folder, if `--state-dir` does not say."),
    ("FLEETCCD_PATH, DISTCCD_PATH", "Where compilers of text are looked for, instead of PATH."),
    ("FLEETCC_CMDLIST, DISTCC_CMDLIST", "A file of full paths: the only compilers of text that may be run."),
    ("FLEETCC_CMDLIST_NUMWORDS, DISTCC_CMDLIST_NUMWORDS", "How many last words of a path must match."),
    ("TMPDIR", "Where jobs made of text have their folders."),
)


def files() -> dict[str, str]:
    """The text of each page."""
    found = list(verbs())
    pages = {"fleetcc.1": _main_page(found), "fleetccd.8": _server_page(), "fleetcc-hosts.5": _hosts_page()}
    for verb in found:
        pages[f"fleetcc-{verb.words[1]}.1"] = _verb_page(verb)
    return {f"man{name[-1]}/{name}": "\n".join(lines) + "\n" for name, lines in pages.items()}


def _head(title: str, section: int, name: str, summary: str) -> Iterator[str]:
    yield '.\\" Written by packaging/man.py.'
    yield f".Dd {DATE}"
    yield f".Dt {title.upper()} {section}"
    yield f".Os fleetcc {__version__}"
    yield ".Sh NAME"
    yield f".Nm {name}"
    yield f".Nd {mdoc.escaped(summary)}"


def _main_page(found: Sequence[Command]) -> Iterator[str]:
    yield from _head("fleetcc", 1, "fleetcc", "distributed C and C++ compiler")
    yield from (".Sh SYNOPSIS", ".Nm", ".Op Fl \\-no\\-fallback", ".Op Fl \\-priority Ns = Ns Ar class")
    yield from (".Ar compiler arguments ...", ".Nm", ".Ar verb", ".Op Ar options")
    yield from (".Nm", ".Fl \\-show\\-hosts | j | \\-version | \\-help", ".Sh DESCRIPTION")
    yield from mdoc.paragraphs(_MODES)
    for text, lines in _WAYS:
        yield from (".Pp", f"With {text}:", *mdoc.code(lines))
    yield from (".Sh OPTIONS", *_options(OWN_OPTIONS), ".Sh VERBS")
    yield "Each has a page of its own."
    yield from mdoc.tagged(
        (f"Xr fleetcc-{each.words[1]} 1", [mdoc.escaped(each.summary[:1].upper() + each.summary[1:]) + "."])
        for each in found
    )
    yield from (".Sh ENVIRONMENT", *_environment())
    yield from (".Sh FILES", *_files(), ".Sh EXIT STATUS")
    yield from mdoc.sentences(
        "What the compiler returned; 128 and the number of a signal that ended it. fleetcc's own statuses:"
    )
    yield from mdoc.tagged((str(int(code)), [mdoc.escaped(text) + "."]) for code, text in _STATUSES.items())
    yield from _see(("fleetcc-hosts", 5), ("fleetccd", 8), *((f"fleetcc-{v.words[1]}", 1) for v in found))


def _environment() -> Iterator[str]:
    yield from mdoc.sentences(
        "The variables of the job's own environment count. Most can stand in `config.toml`, under the name "
        "in parentheses; a variable wins over it. `fleetcc config` shows what is in force."
    )
    yield from mdoc.tagged(
        (_variable(setting), [*mdoc.sentences(setting.help), *_fine_print(setting)])
        for setting in TABLE
        if setting.variable or setting.twin
    )


def _variable(setting: Setting) -> str:
    own = setting.variable or setting.twin or ""
    key = f" Pq {mdoc.escaped(setting.name)}" if setting.in_toml else ""
    return f"Ev {own}{key}"


def _fine_print(setting: Setting) -> Iterator[str]:
    if setting.variable and setting.twin:
        yield f"Else\n.Ev {setting.twin} ."
    if setting.default_text:
        yield from mdoc.sentences(f"Default: {setting.default_text}.")
    elif setting.default not in (None, ()):
        shown = {True: "on", False: "off"}.get(setting.default, setting.default)  # type: ignore[call-overload]
        yield mdoc.inline(f"Default: {shown:g}." if isinstance(shown, float) else f"Default: {shown}.")


def _files() -> Iterator[str]:
    yield from mdoc.tagged(
        (f"Pa {mdoc.escaped(path)}", [text])
        for path, text in (
            ("~/.config/fleetcc/hosts, /etc/fleetcc/hosts", "The host list; see\n.Xr fleetcc-hosts 5 ."),
            ("~/.config/fleetcc/config.toml, /etc/fleetcc/config.toml", "Settings."),
            ("~/.local/state/fleetcc/agent.log", "What the agent has to say."),
            (
                "~/.local/state/fleetcc/jobs.jsonl",
                "The jobs that have ended, for\n.Xr fleetcc-log 1\nand its kin.",
            ),
        )
    )


def _verb_page(verb: Command) -> Iterator[str]:
    name = f"fleetcc-{verb.words[1]}"
    yield from _head(name, 1, name, verb.summary)
    yield from (".Sh SYNOPSIS", f".Nm fleetcc {verb.words[1]}", *_usage(verb), ".Sh DESCRIPTION")
    yield from mdoc.paragraphs(verb.paragraphs)
    yield from (".Sh OPTIONS", *_options(verb.options))
    for inner in verb.verbs:
        if inner is verb.verbs[0]:
            yield ".Sh VERBS"
        yield f".Ss {mdoc.escaped(inner.name)}"
        yield from (*mdoc.paragraphs(inner.paragraphs), *_options(inner.options))
    if verb.examples:
        yield from (".Sh EXAMPLES", *mdoc.code(verb.examples))
    yield from _see(("fleetcc", 1))


def _usage(command: Command) -> Iterator[str]:
    for word in command.usage.split():
        text = word.strip("[]").removesuffix("...").removesuffix("]")
        dots = " ..." if "..." in word else ""
        optional = word.startswith("[")
        yield f".Op Ar {text.lower()}{dots}" if optional else f".Ar {text.lower()}{dots}"


def _server_page() -> Iterator[str]:
    server = server_command()
    examine = server.verbs[0]
    yield from _head("fleetccd", 8, "fleetccd", server.summary)
    yield from (".Sh SYNOPSIS", ".Nm", ".Op Ar options", ".Nm", ".Cm doctor", ".Op Ar options")
    yield from (".Sh DESCRIPTION", *mdoc.paragraphs(server.paragraphs[:1]), ".Pp")
    yield from mdoc.sentences(
        "It takes jobs of fleetcc agents, made of files, which run in a sandbox with the compiler that they "
        "bring; and jobs of distcc clients, made of text, for the compilers of this machine. Until `--allow` "
        "says more, it serves this machine only. It needs no root; started by root it becomes another user."
    )
    yield from (".Sh OPTIONS", *_options(server.options), ".Sh VERBS", ".Ss fleetccd doctor")
    yield from mdoc.paragraphs(examine.paragraphs)
    own = [option for option in examine.options if option not in server.options]
    yield from (*_options(own), ".Sh SIGNALS")
    yield from mdoc.tagged((mdoc.escaped(name), list(mdoc.sentences(text))) for name, text in _SIGNALS)
    yield ".Sh ENVIRONMENT"
    yield from mdoc.tagged(
        (f"Ev {name.replace(',', ' , Ev')}", list(mdoc.sentences(text))) for name, text in _SERVER_VARIABLES
    )
    yield from (".Sh FILES", *mdoc.tagged([("Pa /var/lib/fleetccd", [
        "The state folder of a server that root has started: clients' files, replicas, who runs, who waits.",
        "Nothing in it has to be kept.",
    ])]))  # fmt: skip
    yield from (".Sh EXIT STATUS", "0, when it was told to leave or has detached.", "Else:")
    mine = (ExitCode.GENERAL, ExitCode.BAD_ARGUMENTS, ExitCode.BIND_FAILED, ExitCode.IO_ERROR)
    yield from mdoc.tagged((str(int(code)), [mdoc.escaped(_STATUSES[code]) + "."]) for code in mine)
    yield from _see(("fleetcc", 1), ("fleetcc-hosts", 5))


def _hosts_page() -> Iterator[str]:
    text = (ROOT / "docs" / "hosts.md").read_text("utf-8")
    yield from _head("fleetcc-hosts", 5, "fleetcc-hosts", "the machines that compile")
    yield ".Sh DESCRIPTION"
    yield from mdoc.markdown(_without_places(text))
    yield from _see(("fleetcc", 1), ("fleetcc-doctor", 1), ("fleetccd", 8))


def _without_places(text: str) -> str:
    """A page has no links into itself."""
    return re.sub(r" \(\[(?:below|above)\]\([^)]*\)\)", "", text)


def _options(options: Iterable[Option]) -> Iterator[str]:
    yield from mdoc.tagged(
        (_option_tag(option), list(mdoc.sentences(_described(option)))) for option in options
    )


def _option_tag(option: Option) -> str:
    value = ""
    if option.metavar:
        words = "|".join(option.choices) if option.choices and option.metavar.isupper() else ""
        value = f" Ar {mdoc.escaped(words if words and len(words) < 60 else option.metavar)}"
    if option.needs_equals:
        value = f" Ns = Ns{value}"
    return " , ".join(f"Fl {mdoc.escaped(name[1:])}{value}" for name in option.names)


def _described(option: Option) -> str:
    """Help without the ranges of numbers, which its check tells whoever meets them."""
    text = re.sub(r"\s*\[([^\]]*)\]$", lambda found: _default(found[1]), option.help)
    if option.value_may_be_missing:
        text += f" {option.metavar} may be left out."
    return text


def _default(notes: str) -> str:
    found = re.search(r"default: ([^;]+)", notes)
    return f" Default: {found[1].removesuffix('.0')}." if found else ""


def _see(*pages: tuple[str, int]) -> Iterator[str]:
    yield ".Sh SEE ALSO"
    ordered = sorted(pages, key=lambda page: (page[1], page[0]))
    for name, section in ordered:
        yield f".Xr {name} {section}{' ,' if (name, section) != ordered[-1] else ''}"


if __name__ == "__main__":
    sys.exit(write_all(FOLDER, files(), sys.argv[1:]))
