import asyncio

from services.simulator.outbox import Outbox, Outgoing

ONE, TWO = Outgoing(b"one", "frames_sent"), Outgoing("two", "updates_sent")


def test_messages_go_in_order_and_the_box_is_drained_when_the_last_was_sent() -> None:
    async def play() -> None:
        box = Outbox(2)
        box.put(ONE)
        box.put(TWO)
        assert not box.has_room
        draining = asyncio.create_task(box.drained())
        assert [await box.next(), await box.next()] == [ONE, TWO]
        await asyncio.sleep(0)
        assert not draining.done()
        asking = asyncio.create_task(box.next())
        await draining
        box.put(ONE)
        assert await asking == ONE

    asyncio.run(play())


def test_a_closed_box_releases_waiting_tasks_and_accepts_nothing() -> None:
    async def play() -> None:
        box = Outbox(2)
        asking = asyncio.create_task(box.next())
        await asyncio.sleep(0)
        box.close()
        assert await asking is None
        box.put(ONE)
        await box.drained()
        assert await box.next() is None

    asyncio.run(play())
