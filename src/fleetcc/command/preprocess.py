"""The two command lines of preprocessed mode: the client's preprocessor and the server's compiler."""

from typing import Final

from fleetcc.command.languages import suffix_of
from fleetcc.command.verdict import Compilation
from fleetcc.model import Family, Form

# The server reads the source's name and directory out of the text.
_DIRECTIVES_OPTIONS: Final = (b"-fworking-directory", b"-fdirectives-only")


def preprocess_argv(compilation: Compilation, form: Form) -> list[bytes]:
    """Run the preprocessor: text on stdout, dependencies into descriptor 3, name as typed."""
    argv = [compilation.argv[0], *compilation.preprocess_options]
    if form is Form.DIRECTIVES:
        argv += _DIRECTIVES_OPTIONS
    elif compilation.debug and compilation.family is Family.GCC:
        # Debug information records the directory; the marker carries it to the server's compiler.
        argv.append(b"-fworking-directory")
    argv += (b"-E", compilation.source)
    return argv


def remote_argv(compilation: Compilation, form: Form, name: bytes, cwd: bytes | None = None) -> list[bytes]:
    """Compile the text on a server under the compiler's `name`; any distcc server's scanner takes it."""
    argv = [name, *compilation.compile_options]
    if form is Form.DIRECTIVES:
        source = compilation.source
    else:
        source = _preprocessed_name(compilation)
        if cwd is not None and compilation.debug and compilation.family is Family.CLANG:
            argv += _clang_directory(compilation, cwd)
    argv += (compilation.stage, source, b"-o", _basename(compilation.output))
    return argv


def _preprocessed_name(compilation: Compilation) -> bytes:
    base = _basename(compilation.source)
    suffix = suffix_of(base)
    stem = base[: -len(suffix) - 1] if suffix else base
    return stem + b"." + compilation.language.value.encode()


def _clang_directory(compilation: Compilation, cwd: bytes) -> tuple[bytes, ...]:
    """clang has no line marker for the directory, so it is told, unless the user has told it."""
    given = (b"-fdebug-compilation-dir", b"-ffile-compilation-dir")
    if any(word.startswith(given) for word in compilation.compile_options):
        return ()
    return (b"-fdebug-compilation-dir=" + cwd,)


def _basename(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
