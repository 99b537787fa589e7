"""What is put off until a process has a rest."""

from threading import Event

import pytest

from workers.idle_timer import IdleTimer

SOON, LONGER, PATIENCE = 1.0, 2.0, 60.0


def test_a_pause_lets_the_action_happen() -> None:
    happened = Event()
    timer = IdleTimer(happened.set, after_seconds=0.01)

    with timer.at_work():
        assert not happened.is_set()

    assert happened.wait(PATIENCE)


def test_work_that_comes_before_puts_it_off() -> None:
    happened = Event()
    timer = IdleTimer(happened.set, after_seconds=SOON)
    with timer.at_work():
        pass

    with timer.at_work():
        assert not happened.wait(LONGER)

    assert happened.wait(PATIENCE)


def test_work_that_fails_ends_in_a_pause_too() -> None:
    happened = Event()
    timer = IdleTimer(happened.set, after_seconds=0.01)

    with pytest.raises(RuntimeError), timer.at_work():
        raise RuntimeError

    assert happened.wait(PATIENCE)


def test_a_stopped_timer_does_nothing() -> None:
    happened = Event()
    timer = IdleTimer(happened.set, after_seconds=SOON)
    with timer.at_work():
        pass

    timer.stop()

    assert not happened.wait(LONGER)
