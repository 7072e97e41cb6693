"""Every fuzz target runs, and its invariant holds for a few inputs; `python fuzz/x.py` tries many."""

from random import Random

import pytest

from fuzz import (
    campaign,
    distcc_pump,
    distcc_request,
    distcc_response,
    fleet_client,
    fleet_frames,
    fleet_server,
    greeting,
    launcher_request,
    lzo_decompress,
    zstd_unpack,
)

TARGETS = (
    distcc_pump,
    distcc_request,
    distcc_response,
    fleet_client,
    fleet_frames,
    fleet_server,
    greeting,
    launcher_request,
    lzo_decompress,
    zstd_unpack,
)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_the_invariant_holds_for_a_few_inputs(target) -> None:
    campaign.run(target.check, target.SEEDS, iterations=1000, seed=1)


def test_a_broken_invariant_is_told_with_its_input() -> None:
    def check(data: bytes, _: Random) -> None:
        assert data != b"bad"

    with pytest.raises(AssertionError) as caught:
        campaign.run(check, [b"bad"], iterations=100, seed=1)
    assert "input b'bad'" in caught.value.__notes__[0]


def test_pieces_are_the_input() -> None:
    assert all(b"".join(campaign.pieces(b"0123456789", Random(seed))) == b"0123456789" for seed in range(50))
