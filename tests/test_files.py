"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._files import read_folder, write_folder, write_text
from llmopt.errors import StorageError


def write_version(path: Path, content: str) -> None:
    def fill(folder: Path) -> None:
        (folder / "a.txt").write_text(content, encoding="utf-8")

    write_folder(path, fill)


def content_of(path: Path) -> str:
    return (read_folder(path) / "a.txt").read_text("utf-8")


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("text") / "file.txt"
    write_text(path, text)
    assert path.read_bytes().decode("utf-8") == text


def test_text_is_replaced_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text("utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["missing/file.txt", "folder"])
def test_text_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_text(tmp_path / target, "text")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_text_without_valid_unicode_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(StorageError, match="cannot write"):
        write_text(path, "\ud800")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_see_whole_texts_while_writers_replace_them(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    texts = {letter * 200_000 for letter in "abcd"}
    write_text(path, "a" * 200_000)
    writers = [threading.Thread(target=write_text, args=(path, text)) for text in sorted(texts) * 3]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text("utf-8") in texts
    for writer in writers:
        writer.join()
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_comes_back_with_subfolders_and_makes_its_parents(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "data.bin").write_bytes(bytes(range(256)))

    write_folder(tmp_path / "new" / "index", fill)
    assert (read_folder(tmp_path / "new" / "index") / "deep" / "er" / "data.bin").read_bytes() == bytes(range(256))


def test_a_folder_is_replaced_without_traces_of_the_old_version(tmp_path: Path) -> None:
    for content in ("one", "two", "three"):
        write_version(tmp_path / "index", content)
    assert content_of(tmp_path / "index") == "three"
    assert len(list((tmp_path / "index").iterdir())) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "index"]


def test_a_failed_write_leaves_the_old_version(tmp_path: Path) -> None:
    write_version(tmp_path / "index", "old")

    def fail(folder: Path) -> None:
        (folder / "a.txt").write_text("half", encoding="utf-8")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_folder(tmp_path / "index", fail)
    assert content_of(tmp_path / "index") == "old"
    with pytest.raises(RuntimeError, match="stopped"):
        write_folder(tmp_path / "other", fail)
    assert not (tmp_path / "other").exists()


def test_a_killed_writer_leaves_the_old_version_and_no_obstacle(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from llmopt._files import write_folder\n"
        "def fill(folder):\n"
        "    (folder / 'a.txt').write_text('half')\n"
        "    os._exit(9)\n"
        "write_folder(pathlib.Path(sys.argv[1]), fill)\n"
    )
    for before in ("", "old"):
        path = tmp_path / f"index{before}"
        if before:
            write_version(path, before)
        done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
        assert done.returncode == 9
        if before:
            assert content_of(path) == before
        else:
            with pytest.raises(StorageError, match=r"no manifest\.json"):
                read_folder(path)
        write_version(path, "new")
        assert content_of(path) == "new"


def test_what_a_killed_writer_left_long_ago_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index"
    write_version(path, "old")
    (path / "content-dead").mkdir()
    (path / "content-dead" / "a.txt").write_text("half", encoding="utf-8")
    write_version(path, "newer")
    assert (path / "content-dead").exists(), "another process may be writing it right now"
    later = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    write_version(path, "newest")
    assert not (path / "content-dead").exists()
    assert content_of(path) == "newest"


def test_readers_see_whole_folders_while_a_writer_replaces_them(tmp_path: Path) -> None:
    path = tmp_path / "index"
    write_version(path, "0" * 1000)
    versions = [threading.Thread(target=write_version, args=(path, str(n) * 1000)) for n in range(1, 9)]

    def write_all() -> None:
        for version in versions:
            version.start()
            version.join()

    writer = threading.Thread(target=write_all)
    writer.start()
    while writer.is_alive():
        try:
            seen = content_of(path)
        except FileNotFoundError:
            continue  # replaced between the check and our own reading; the check itself must not fail
        assert len(set(seen)) == 1
        assert len(seen) == 1000
    writer.join()
    assert content_of(path) == "8" * 1000


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_a_foreign_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"name": "somebody else\'s"}', encoding="utf-8")
    with pytest.raises(StorageError, match="not written by llmopt"):
        write_version(tmp_path, "mine")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("precious", encoding="utf-8")
    with pytest.raises(StorageError, match="not written by llmopt"):
        write_version(tmp_path / "index", "mine")
    assert (tmp_path / "index").read_text("utf-8") == "precious"


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    write_version(tmp_path, "mine")
    assert content_of(tmp_path) == "mine"


def test_equal_files_are_stored_once(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        for name in ("one", "two"):
            (folder / name).write_bytes(b"same" * 1000)

    write_folder(tmp_path / "index", fill)
    folder = read_folder(tmp_path / "index")
    assert (folder / "one").samefile(folder / "two")
    assert (folder / "two").read_bytes() == b"same" * 1000


def change_a_byte(file: Path) -> None:
    file.write_bytes(b"x" + file.read_bytes()[1:])


def cut_the_end(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("damage", "complaint"), [(change_a_byte, "checksum"), (cut_the_end, "bytes"), (remove, "missing")]
)
def test_a_damaged_file_is_named_with_a_remedy(tmp_path: Path, damage: Callable[[Path], None], complaint: str) -> None:
    write_version(tmp_path / "index", "content")
    damage(read_folder(tmp_path / "index") / "a.txt")
    with pytest.raises(StorageError, match=rf"a\.txt.*{complaint}.*(save the component again)"):
        read_folder(tmp_path / "index")


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": "a web page"}', "a web page"),
        ('{"format": "llmopt folder", "version": 99}', "version 99.*use the llmopt that wrote it"),
        ('{"format": "llmopt folder", "version": 1, "content": "..", "files": {}}', "leads out"),
        (
            '{"format": "llmopt folder", "version": 1, "content": "c", "files": {"/etc/passwd": '
            '{"bytes": 1, "sha256": ""}}}',
            "leads out",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, manifest: str, complaint: str) -> None:
    write_version(tmp_path / "index", "content")
    (tmp_path / "index" / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(StorageError, match=complaint):
        read_folder(tmp_path / "index")


def test_a_folder_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such folder"):
        read_folder(tmp_path / "nowhere")


def test_the_manifest_names_format_version_sizes_and_checksums(tmp_path: Path) -> None:
    write_version(tmp_path / "index", "content")
    manifest = json.loads((tmp_path / "index" / "manifest.json").read_text("utf-8"))
    assert (manifest["format"], manifest["version"]) == ("llmopt folder", 1)
    assert manifest["files"]["a.txt"]["bytes"] == 7
