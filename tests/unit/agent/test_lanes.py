"""The slots of hosts, numbered."""

from fleetcc.agent.lanes import Lanes


def test_a_job_gets_the_lowest_lane_that_is_free() -> None:
    lanes = Lanes()

    assert [lanes.take("red") for _ in range(3)] == [0, 1, 2]
    lanes.give_back("red", 1)
    lanes.give_back("red", 0)
    assert [lanes.take("red") for _ in range(3)] == [0, 1, 3]


def test_each_host_has_its_own() -> None:
    lanes = Lanes()
    lanes.take("red")

    assert lanes.take("blue") == 0


def test_there_may_be_very_many() -> None:
    lanes = Lanes()

    assert [lanes.take("red") for _ in range(1000)] == list(range(1000))
