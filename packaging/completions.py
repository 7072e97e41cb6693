"""Writes packaging/completions: what bash, zsh and fish complete after `fleetcc` and `fleetccd`.

The files are complete in themselves: completing starts no Python. Run it after a verb or an option has
changed; with --check it only says whether that was forgotten.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from commands import OWN_OPTIONS, ROOT, Command, Option, server_command, verbs, write_all
from completion_texts import BASH, BASH_SERVER, FISH, FISH_SERVER, ZSH, ZSH_SERVER

from fleetcc.command import names

FOLDER: Final = ROOT / "packaging" / "completions"
HEAD: Final = "written by packaging/completions.py"


def compiler_pattern() -> str:
    """The names of compilers as an extended regular expression, from the launcher's own."""
    pattern = names._NAME.pattern.decode()  # noqa: SLF001 - a second pattern would grow apart from it
    return re.sub(r"\(\?(?:P<\w+>|:)", "(", pattern).replace(r"\d", "[0-9]").replace(r"\+", "[+]")


def files() -> dict[str, str]:
    """The text of each file."""
    fleetcc, fleetccd = list(verbs()), server_command()
    return {
        "fleetcc.bash": _bash(BASH, fleetcc),
        "fleetccd.bash": _bash(BASH_SERVER, [fleetccd, *fleetccd.verbs]),
        "_fleetcc": _zsh(fleetcc),
        "_fleetccd": _filled(ZSH_SERVER, OPTIONS=_zsh_options(_merged(fleetccd))),
        "fleetcc.fish": _fish(fleetcc),
        "fleetccd.fish": _filled(
            FISH_SERVER, OPTIONS="\n".join(_fish_options("fleetccd", "", _merged(fleetccd)))
        ),
    }


def _merged(command: Command) -> list[Option]:
    """Its options, and those that only its verbs have."""
    found = {option.names: option for each in (*command.verbs, command) for option in each.options}
    return list(found.values())


def _filled(template: str, **parts: str) -> str:
    parts |= {"HEAD": HEAD, "COMPILERS": compiler_pattern()}
    return re.sub(r"@([A-Z_]+)@", lambda found: parts[found[1]], template).strip("\n") + "\n"


def _flat(commands: Iterable[Command]) -> Iterator[tuple[str, Command]]:
    """Each command with its words but the program's: "", "agent", "agent start"."""
    for command in commands:
        yield " ".join(command.words[1:]), command
        yield from _flat(command.verbs)


def _names(options: Iterable[Option]) -> str:
    return " ".join(name for option in options for name in option.names)


# bash


def _bash(template: str, commands: Sequence[Command]) -> str:
    flat = dict(_flat(commands))
    return _filled(
        template,
        VERBS=" ".join(word for word, command in flat.items() if word and len(command.words) == 2),
        OWN=" ".join(_bash_own()),
        PRIORITIES=" ".join(_own("--priority").choices),
        WORDS=_cases(_bash_words(flat)),
        VALUES=_cases(_bash_values(flat)),
        RUNNERS="|".join(word for word, command in flat.items() if command.takes_command),
    )


def _bash_own() -> Iterator[str]:
    for option in OWN_OPTIONS:
        for name in option.names:
            yield from (f"{name}={choice}" for choice in option.choices) if option.needs_equals else (name,)


def _own(name: str) -> Option:
    return next(option for option in OWN_OPTIONS if name in option.names)


def _cases(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"        {pattern}) echo '{words}' ;;" for pattern, words in rows)


def _bash_words(flat: dict[str, Command]) -> Iterator[tuple[str, str]]:
    for words, command in flat.items():
        inner = " ".join(verb.words[-1] for verb in command.verbs)
        yield f"'{words}'", f"{inner} {_names(command.options)}".strip()


def _bash_values(flat: dict[str, Command]) -> Iterator[tuple[str, str]]:
    for words, command in flat.items():
        for option in command.options:
            if option.metavar and not option.value_may_be_missing:
                kind = ":path" if option.takes_path else " ".join(option.choices) or ":none"
                yield "|".join(f"'{words} {name}'" for name in option.names), kind


# zsh


def _zsh(commands: Sequence[Command]) -> str:
    return _filled(
        ZSH,
        OWN=_zsh_options(OWN_OPTIONS),
        VERBS="\n".join(f"        {_zsh_pair(verb)}" for verb in commands),
        CASES="\n".join(_zsh_case(verb) for verb in commands),
    )


def _zsh_pair(command: Command) -> str:
    text = command.summary.replace("'", "'\\''")
    return f"'{command.words[-1]}:{text}'"


def _zsh_case(command: Command) -> str:
    lines = [f"        {command.words[-1]})", "            _arguments -S -A '-*' \\"]
    lines.append(_zsh_options(command.options, 16) + " \\")
    if command.verbs:
        pairs = " ".join(_zsh_pair(verb).replace(":", "\\:", 1) for verb in command.verbs)
        lines.append(f"                '1: :(({_zsh_inside(pairs)}))'")
    elif command.takes_command:
        lines.append("                '1:command: _command_names -e' '*:: : _normal'")
    else:
        lines[-1] = lines[-1].removesuffix(" \\")
    return "\n".join([*lines, "            ;;"])


def _zsh_inside(pairs: str) -> str:
    """`'start\\:text'` as it stands inside of single quotes."""
    return pairs.replace("'", '"')


def _zsh_options(options: Iterable[Option], indent: int = 8) -> str:
    return " \\\n".join(" " * indent + spec for option in options for spec in _zsh_specs(option))


def _zsh_specs(option: Option) -> Iterator[str]:
    text = re.sub(r"([\[\]:])", r"\\\1", option.help).replace("'", "'\\''")
    action = "_files" if option.takes_path else f"({' '.join(option.choices)})" if option.choices else " "
    label = option.metavar.lower().replace(":", "\\:").replace("[", "\\[").replace("]", "\\]")
    value = f":{label}:{action}" if option.metavar else ""
    colons = ":" if option.value_may_be_missing else ""
    for name in option.names:
        equals = "=" if option.metavar and name.startswith("--") else ""
        equals += "-" if option.needs_equals else ""
        yield f"'*{name}{equals}[{text}]{colons}{value}'"


# fish


def _fish(commands: Sequence[Command]) -> str:
    lines: list[str] = []
    for verb in commands:
        lines.append(_fish_word("__fleetcc_at_start", verb))
        lines += [_fish_word(f"'__fleetcc_in {verb.words[1]}'", inner) for inner in verb.verbs]
        lines += _fish_options("fleetcc", f"-n '__fleetcc_in {verb.words[1]}' ", _merged(verb))
    return _filled(
        FISH,
        OWN="\n".join(_fish_options("fleetcc", "-n __fleetcc_at_start ", OWN_OPTIONS)),
        LINES="\n".join(lines),
        VERBS=" ".join(verb.words[1] for verb in commands),
        RUNNERS=" ".join(verb.words[1] for verb in commands if verb.takes_command),
        VALUES=" ".join(sorted({
            name for verb in commands if verb.takes_command for option in verb.options
            if option.metavar and not option.value_may_be_missing for name in option.names
        })),
    )  # fmt: skip


def _fish_word(condition: str, verb: Command) -> str:
    return f"complete -c fleetcc -n {condition} -a {verb.words[-1]} -d {_quoted(verb.summary)}"


def _fish_options(program: str, condition: str, options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        for name in option.names:
            flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            value = ""
            if option.metavar and not option.value_may_be_missing:
                value = " -r -F" if option.takes_path else " -x"
                value += f" -a '{' '.join(option.choices)}'" if option.choices else ""
            yield f"complete -c {program} {condition}{flag}{value} -d {_quoted(option.help)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


if __name__ == "__main__":
    sys.exit(write_all(FOLDER, files(), sys.argv[1:]))
