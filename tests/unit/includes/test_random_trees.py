"""Random trees, beside a preprocessor of twenty lines that takes every branch."""

import posixpath

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory_disk import MemoryDisk
from tests.support.scanning import scanned

DIRECTORIES = ("/w", "/w/s", "/q", "/i", "/i/s", "/j")
FILES = tuple(f"{directory}/{name}.h" for directory in DIRECTORIES for name in "abc")
NAMES = ("a.h", "b.h", "c.h", "s/a.h", "s/b.h", "../w/c.h", "s/../a.h", "/j/b.h", "no.h")
CHAIN = ("/q", "/i", "/j")

directives = st.builds(
    lambda word, name, quoted: (word, name, quoted),
    st.sampled_from(("include", "include", "include_next")),
    st.sampled_from(NAMES),
    st.booleans(),
)
trees = st.dictionaries(st.sampled_from(FILES), st.lists(directives, max_size=4), min_size=3)


@settings(max_examples=300, deadline=None)
@given(trees, st.lists(directives, min_size=1, max_size=4))
def test_every_file_that_a_preprocessor_would_read_is_found(tree, source):
    tree = {**tree, "/w/main.c": source}
    texts = {path: "".join(line(*each) for each in each_file) for path, each_file in tree.items()}
    disk = MemoryDisk({**texts, **{f"{directory}/x": "" for directory in DIRECTORIES}})
    found = scanned(disk, quote=CHAIN[:1], angled=CHAIN[1:])
    assert {posixpath.normpath(path) for path in found} == read_by(tree)


def line(word, name, quoted):
    return f'#{word} "{name}"\n' if quoted else f"#{word} <{name}>\n"


def read_by(tree):
    """What compilers read: gcc and clang differ in #include_next of a file beside its includer."""
    seen: set[tuple[str, int]] = set()
    work = [("/w/main.c", -1)]
    while work:
        path, place = work.pop()
        if (path, place) in seen:
            continue
        seen.add((path, place))
        for word, name, quoted in tree[path]:
            beside = (posixpath.dirname(path), -1)
            normal = [*([beside] if quoted else []), *places(0 if quoted else 1)]
            if word == "include" or name[:1] == "/":
                chains = [normal]
            else:
                chains = (
                    [places(place + 1)]
                    if place >= 0
                    else [normal, places(0), *([places(-9 - place)] if place <= -10 else [])]
                )
            for chain in chains:
                hits = (taken(tree, directory, name, rank) for directory, rank in chain)
                hit = next((hit for hit in hits if hit), None)
                if hit:  # beside an includer that was found at a rank: clang goes on from there
                    work.append((hit[0], hit[1] if hit[1] >= 0 else -10 - place if place >= 0 else place))
    return {path for path, _ in seen}


def places(start):
    return [(directory, rank) for rank, directory in enumerate(CHAIN) if rank >= start]


def taken(tree, directory, name, rank):
    path = posixpath.join(directory, name)
    parts = path.split("/")
    parents = {posixpath.normpath("/".join(parts[:at])) for at in range(2, len(parts))}
    exist = parents <= {"/", *DIRECTORIES}
    path = posixpath.normpath(path)  # there are no links
    return (path, -1 if name[:1] == "/" else rank) if exist and path in tree else None
