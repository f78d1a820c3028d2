from __future__ import annotations

import asyncio
import copy
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.errors import StorageError
from llmopt.models.wrappers.flights import Flights, Landing
from llmopt.models.wrappers.store import Store, StoreHandle

T = TypeVar("T")
BRIEF = settings(max_examples=25, deadline=None)
ENTRIES = st.dictionaries(st.binary(min_size=1, max_size=32), st.binary(max_size=200), max_size=8)


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "replies.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


@BRIEF
@given(batches=st.lists(ENTRIES, max_size=4))
def test_what_was_written_is_read_by_the_same_store_and_by_a_new_one(batches: list[dict[bytes, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replies.db"
        expected: dict[bytes, bytes] = {}
        store = Store(path)
        for batch in batches:
            run(store.write(batch))
            expected |= batch
        assert run(store.read([*expected, b"not there" * 9])) == expected
        store.close()
        again = Store(path)
        assert run(again.read(list(expected))) == expected
        again.close()


def test_many_keys_are_read_at_once(store: Store) -> None:
    entries = {number.to_bytes(4, "big"): bytes(number % 50) for number in range(3_000)}
    run(store.write(entries))
    assert run(store.read(list(entries))) == entries


def test_writes_at_the_same_time_share_commits(store: Store) -> None:
    async def main() -> None:
        await asyncio.gather(*(store.write({bytes([number]): b"x"}) for number in range(200)))

    run(main())
    assert len(run(store.read([bytes([number]) for number in range(200)]))) == 200


def test_threads_with_loops_of_their_own_share_a_store(store: Store) -> None:
    failures: list[BaseException] = []

    async def work(thread: int) -> None:
        for number in range(20):
            key = f"{thread}-{number}".encode()
            await store.write({key: key})
            assert await store.read([key]) == {key: key}

    def in_a_thread(thread: int) -> None:
        try:
            asyncio.run(work(thread))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=in_a_thread, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


def test_a_cancelled_write_is_finished_all_the_same(store: Store) -> None:
    async def main() -> dict[bytes, bytes]:
        writing = asyncio.create_task(store.write({b"paid": b"for"}))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await store.write({b"next": b"one"})
        return await store.read([b"paid"])

    assert run(main()) == {b"paid": b"for"}


WRITER = """
import asyncio, pathlib, sys
from llmopt.models.wrappers.store import Store

async def main():
    store = Store(pathlib.Path(sys.argv[1]))
    async def work(name):
        for number in range(100_000):
            key = f"{sys.argv[2]}-{name}-{number}"
            await store.write({key.encode(): key.encode() * 20})
            print(key, flush=True)
    await asyncio.gather(*(work(name) for name in range(8)))

asyncio.run(main())
"""


def test_a_killed_process_loses_nothing_that_was_written(path: Path) -> None:
    written: list[str] = []
    for name in ("first", "second"):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                written.append(line.strip())
                if len(written) % 300 == 0:
                    os.kill(process.pid, signal.SIGKILL)
                    break
            # what was printed before the kill and not read yet; the last line may be half
            written += [line.strip() for line in process.stdout.readlines() if line.endswith("\n")]
    store = Store(path)
    found = run(store.read([key.encode() for key in written]))
    assert found == {key.encode(): key.encode() * 20 for key in written}
    assert len(written) >= 600
    store.close()


def test_processes_write_to_one_file_at_the_same_time(path: Path) -> None:
    code = WRITER.replace("100_000", "10").replace("print(key, flush=True)", "")
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    store = Store(path)
    keys = [f"{process}-{name}-{number}".encode() for process in range(3) for name in range(8) for number in range(10)]
    assert len(run(store.read(keys))) == 240
    store.close()


@BRIEF
@given(places=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=60))
def test_damage_is_told_or_does_no_harm(places: list[tuple[float, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replies.db"
        entries = {bytes([number]) * 8: bytes([number]) * 300 for number in range(40)}
        store = Store(path)
        run(store.write(entries))
        store.close()
        content = bytearray(path.read_bytes())
        for place, change in places:
            content[int(place * (len(content) - 1))] ^= change
        path.write_bytes(content)
        with suppress(StorageError), closing(Store(path)) as again:
            found = run(again.read(list(entries)))
            assert all(entries[key] == value for key, value in found.items())


def test_a_changed_value_is_told_with_what_to_do(path: Path) -> None:
    store = Store(path)
    run(store.write({b"key": b"the right answer"}))
    store.close()
    path.write_bytes(path.read_bytes().replace(b"the right answer", b"the wrong answer"))
    again = Store(path)
    with pytest.raises(StorageError, match=r"replies\.db.*not what was written.*delete it.*paid for again"):
        run(again.read([b"key"]))
    again.close()


@pytest.mark.parametrize("content", [b"just a text, of some length " * 20, b"SQLite format 3\0 and then nonsense" * 30])
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"Choose another name|delete it"):
        Store(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE orders (id INTEGER)")
    other.commit()
    other.close()
    content = path.read_bytes()
    with pytest.raises(StorageError, match="llmopt did not write: choose another name"):
        Store(path)
    assert path.read_bytes() == content


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    Store(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StorageError, match=r"format 99.*update llmopt"):
        Store(path)


def test_a_folder_in_its_place_or_above_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="check that it is a file"):
        Store(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="choose another place"):
        Store(tmp_path / "file" / "replies.db")


FULL_DISK = """
import asyncio, pathlib, resource, sys
from llmopt.errors import StorageError
from llmopt.models.wrappers.store import Store

async def main():
    store = Store(pathlib.Path(sys.argv[1]))
    await store.write({b"small": b"value"})
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))  # as if the disk were full
    for number in range(100):
        try:
            await store.write({bytes([number]): bytes(20_000)})
        except StorageError as error:
            assert "make room" in str(error), error
            break
    else:
        raise SystemExit("nothing failed")
    try:
        await store.read([b"small"])
    except StorageError as error:
        assert "make room" in str(error), error
    else:
        raise SystemExit("the next read did not tell")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    found = await store.read([b"small", bytes([number])])  # what could not be written then is written now
    assert set(found) == {b"small", bytes([number])}, found.keys()
    store.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a thing of Unix")
def test_a_full_disk_is_told_and_what_was_not_written_is_written_later(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_handles_of_one_path_share_a_store_and_another_path_has_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        first, second, other = StoreHandle(), StoreHandle(), StoreHandle()
        store = await first.get(tmp_path / "a.db")
        assert await first.get(str(tmp_path / "a.db")) is store
        assert await second.get(tmp_path / "x" / ".." / "a.db") is store
        another = await other.get(tmp_path / "b.db")
        assert another is not store
        store.close()
        another.close()

    (tmp_path / "x").mkdir()
    run(main())


def test_a_file_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"

    async def main() -> dict[bytes, bytes]:
        handle, second = StoreHandle(), StoreHandle()
        store = await handle.get(path)
        assert await second.get(path) is store
        await store.write({b"old": b"1"})
        path.unlink()
        renewed = await handle.get(path)
        await renewed.write({b"new": b"2"})
        assert await second.get(path) is renewed
        renewed.close()
        again = Store(path)
        found = await again.read([b"old", b"new"])
        again.close()
        return found

    assert run(main()) == {b"new": b"2"}


def test_handles_are_copied_and_pickled_without_their_store(tmp_path: Path) -> None:
    async def main() -> None:
        handle = StoreHandle()
        store = await handle.get(tmp_path / "a.db")
        for twin in (copy.deepcopy(handle), pickle.loads(pickle.dumps(handle))):
            assert await twin.get(tmp_path / "a.db") is store
        store.close()

    run(main())


FORK = """
import asyncio, os, pathlib, sys
from llmopt.models.wrappers.store import StoreHandle

handle, path = StoreHandle(), pathlib.Path(sys.argv[1])
store = asyncio.run(handle.get(path))
asyncio.run(store.write({b"parent": b"1"}))
child = os.fork()
if child == 0:
    own = asyncio.run(handle.get(path))
    assert own is not store
    asyncio.run(own.write({b"child": b"2"}))
    own.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert asyncio.run(handle.get(path)) is store
asyncio.run(store.write({b"later": b"3"}))
assert len(asyncio.run(store.read([b"parent", b"child", b"later"]))) == 3
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_opens_the_file_for_itself(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_equal_requests_have_one_flight_and_hear_how_it_ended() -> None:
    flights = Flights()

    async def main() -> list[Landing]:
        assert flights.join(b"key") is None
        assert flights.join(b"other") is None
        first, second = flights.join(b"key"), flights.join(b"key")
        assert first is not None
        assert first is second
        impatient = asyncio.create_task(flights.wait(first))
        patient = asyncio.create_task(flights.wait(first))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        flights.land(b"key", Landing("value"))
        assert flights.join(b"key") is None
        return [await patient, await flights.wait(first)]

    assert run(main()) == [Landing("value")] * 2


def test_landing_what_nobody_waits_for_is_fine() -> None:
    flights = Flights()
    flights.land(b"key", Landing())
    assert flights.join(b"key") is None
    assert isinstance(flights.join(b"key"), Future)
