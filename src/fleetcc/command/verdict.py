"""The two answers of the analysis, and what a compilation is made of."""

from dataclasses import dataclass

from fleetcc.model import Family, Form, Language, Reason


@dataclass(frozen=True, slots=True)
class Depfile:
    """Where the dependencies go."""

    path: bytes


@dataclass(frozen=True, slots=True)
class LocalOnly:
    """The command stays here; `detail` is the word that decided."""

    reason: Reason
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class Compilation:
    """One source into one object or assembly file, as the command line asks for it.

    `exact_forms` give the bytes of the local compiler, best first; `approximate_forms` give the same code
    but other columns in debug information or other warnings. Only one of them can be empty.
    """

    argv: tuple[bytes, ...]  # response files expanded
    family: Family
    source: bytes  # as spelled
    output: bytes  # as spelled, or as derived
    language: Language
    preprocessed_input: bool
    stage: bytes  # -c or -S
    depfile: Depfile | None
    debug: bool
    exact_forms: tuple[Form, ...]
    approximate_forms: tuple[Form, ...]
    forced_includes: tuple[bytes, ...]  # a precompiled header may lie beside each of them
    preprocess_options: tuple[bytes, ...]  # everything for the preprocessor's run but -E and the source
    compile_options: tuple[bytes, ...]  # what still means something for preprocessed text
