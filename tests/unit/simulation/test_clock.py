"""Virtual time."""

from fleetcc.simulation.clock import Clock


def test_things_happen_in_the_order_of_their_time_and_then_of_their_planning():
    clock, seen = Clock(), []
    clock.after(2.0, lambda: seen.append(("late", clock.now)))

    def plan_next() -> None:
        clock.after(0, lambda: seen.append(("next", clock.now)))

    clock.after(1.0, plan_next)
    clock.after(1.0, lambda: seen.append(("first", clock.now)))
    while clock.step():
        pass
    assert seen == [("first", 1.0), ("next", 1.0), ("late", 2.0)]


def test_what_is_cancelled_does_not_happen():
    clock, seen = Clock(), []
    timer = clock.after(1.0, lambda: seen.append(1))
    timer.cancel()
    assert not clock.step()
    assert seen == []
