"""The repair actor: whatever it finds, however often it runs."""

import threading
from pathlib import Path

from workshop import Workshop, add_picture, add_pictures, submit

from vision.engine.tick import Tick, TickReport
from vision.engine.tick_loop import run_ticks
from vision.errors import StorageUnavailable
from vision.storage.blobs import new_key

NOTHING = TickReport(reaped=0, finished=0, swept=0, ready=0)


def test_a_lost_workers_unit_comes_back(workshop: Workshop) -> None:
    engine = workshop.engine
    submit(engine, add_pictures(engine, 1))
    engine.units.claim("dead", lease_seconds=-1)

    first, second = engine.tick.run(), engine.tick.run()

    assert (first.reaped, second.reaped) == (1, 0)


def test_it_counts_what_can_be_claimed(workshop: Workshop) -> None:
    engine = workshop.engine
    for number in range(3):
        submit(engine, [add_picture(engine, number)])

    assert engine.tick.run().ready == 3


def test_an_idle_service_has_nothing_to_repair(workshop: Workshop) -> None:
    assert workshop.engine.tick.run() == NOTHING


def test_the_blob_of_an_erased_asset_goes(workshop: Workshop) -> None:
    engine = workshop.engine
    asset_id = add_picture(engine, 1)
    engine.assets.delete(asset_id)

    assert engine.tick.run().swept == 1
    assert list(engine.blobs.entries()) == []


def test_workers_are_woken_while_blobs_cannot_be_reached(workshop: Workshop) -> None:
    engine = workshop.engine
    engine.assets.delete(add_picture(engine, 1))
    submit(engine, [add_picture(engine, 2)])

    class Away:
        def delete(self, key: str) -> None:
            raise StorageUnavailable(f"no answer about {key}")

    away = Tick(
        engine.units,
        jobs=engine.jobs,
        assets=engine.assets,
        blobs=Away(),  # type: ignore[arg-type]
        max_fails=3,
    )

    report = away.run()

    assert (report.ready, report.swept) == (1, 0)
    assert engine.tick.run().swept == 1


def test_old_blobs_without_an_asset_are_swept(workshop: Workshop) -> None:
    engine = workshop.engine
    kept = engine.assets.get(add_picture(engine, 1)).blob_key
    engine.blobs.put_bytes(b"an upload that never became an asset", new_key("default", "0" * 64))

    assert engine.tick.sweep(older_than_seconds=3600) == 0
    assert engine.tick.sweep(older_than_seconds=-1) == 1
    assert [entry.key for entry in engine.blobs.entries()] == [kept]


def test_it_rings_once_for_each_unit_that_is_ready(workshop: Workshop) -> None:
    engine = workshop.engine
    for number in range(2):
        submit(engine, [add_picture(engine, number)])
    rung: list[int] = []
    stop = threading.Event()

    def ring(count: int) -> None:
        rung.append(count)
        stop.set()

    run_ticks(engine.tick, ring=ring, every_seconds=0.01, stop=stop)

    assert rung == [2]


def test_an_unreachable_database_is_waited_for(workshop: Workshop, tmp_path: Path) -> None:
    tick = workshop.engine.tick
    stop = threading.Event()
    failures = iter([StorageUnavailable("down"), StorageUnavailable("down")])
    succeeded: list[bool] = []

    class Shaky:
        def run(self) -> TickReport:
            for failure in failures:
                raise failure
            return tick.run()

    def on_success() -> None:
        succeeded.append(True)
        stop.set()

    run_ticks(
        Shaky(),  # type: ignore[arg-type]
        ring=lambda _count: None,
        every_seconds=0.01,
        stop=stop,
        on_success=on_success,
    )

    assert succeeded == [True]
