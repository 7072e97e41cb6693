"""Remembers of whole sets of files and listings why they were still true, to say so again cheaply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc.files.folders import Marks
from fleetcc.includes.disk import Listing, Stamp

# One proof per unit and way to compile it; a build that compiles a source in more ways than this pays.
_MOST_SOURCES: Final = 20_000
_PER_SOURCE: Final = 4


@dataclass(frozen=True, slots=True)
class Proof:
    """While these tokens stand and these other files have these stamps, the two mappings are true."""

    files: Mapping[bytes, Stamp]
    listings: Mapping[bytes, Listing | None]
    tokens: Marks
    others: tuple[tuple[bytes, Stamp], ...]


class Proofs:
    """Proofs by the mappings themselves, which their owner must not change any more."""

    def __init__(self) -> None:
        self._by_source: dict[bytes, list[Proof]] = {}

    def find(self, files: Mapping[bytes, Stamp], listings: Mapping[bytes, Listing | None]) -> Proof | None:
        """The proof of these very two mappings."""
        for proof in self._by_source.get(next(iter(files), b""), ()):
            if proof.files is files and proof.listings is listings:
                return proof
        return None

    def add(self, proof: Proof) -> None:
        """Remember a proof, instead of the oldest one of its source where there are several."""
        if len(self._by_source) >= _MOST_SOURCES:
            self._by_source.clear()
        proofs = self._by_source.setdefault(next(iter(proof.files), b""), [])
        others = [known for known in proofs if known.files is not proof.files]
        proofs[:] = [*others[1 - _PER_SOURCE :], proof]

    def clear(self) -> None:
        """Forget them all."""
        self._by_source.clear()
