"""Samples from files: every layout, every way in which a file can be wrong, and the way back."""

from __future__ import annotations

import csv
import datetime as dt
import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmopt.errors import SampleError, StorageError, UsageError
from llmopt.evaluation import beir_corpus, load_samples, read_samples, save_samples
from llmopt.types import Sample

FULL = Sample(
    question="What is a cat?",
    id="s1",
    answer="An animal.",
    contexts=("Cats are animals.", 'Dogs too,\n"he said"'),
    context_ids=("d1", "d2"),
    reference="An animal",
    gold=("d1",),
    answerable=True,
    category="猫",
    group="g",
    abstained=False,
    metadata={"language": "en", "evidence": ("a", "b"), "day": dt.date(2024, 5, 1), "n": 1.5},
)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- JSON


def test_json_lines_give_samples(tmp_path: Path) -> None:
    path = write(tmp_path, "s.jsonl", '{"question": "a", "gold": ["d"], "topic": "x"}\n{"question": "b", "id": 7}\n')
    first, second = load_samples(path)
    assert first == Sample(question="a", id="1", gold=("d",), metadata={"topic": "x"})
    assert second.id == "7"


def test_a_mark_windows_line_ends_blank_lines_and_no_last_line_end_are_fine(tmp_path: Path) -> None:
    path = write(tmp_path, "s.jsonl", b'\xef\xbb\xbf{"question": "a"}\r\n\r\n  \r\n{"question": "b"}')
    assert [sample.question for sample in load_samples(path)] == ["a", "b"]


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "s.jsonl", '{"question": "a\u2028b\u0085c"}\n')
    assert load_samples(path)[0].question == "a\u2028b\u0085c"


def test_an_array_is_as_good_as_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "s.json", '\n [\n {"question": "a"},\n {"question": "b"}\n]\n')
    assert [sample.id for sample in load_samples(path)] == ["1", "2"]


def test_null_and_nan_count_as_absent(tmp_path: Path) -> None:
    path = write(tmp_path, "s.jsonl", '{"question": "a", "answer": null, "reference": NaN, "contexts": null}')
    assert load_samples(path) == [Sample(question="a", id="1")]


def test_a_line_of_fifty_megabytes_is_read(tmp_path: Path) -> None:
    context = "word " * 10_000_000
    path = write(tmp_path, "s.jsonl", json.dumps({"question": "a", "contexts": [context]}) + "\n")
    assert len(load_samples(path)[0].contexts[0]) == 50_000_000


def test_reading_is_done_in_constant_memory(tmp_path: Path) -> None:
    line = json.dumps({"question": "q" * 1000, "contexts": ["c" * 1000]}) + "\n"
    path = write(tmp_path, "s.jsonl", line * 5000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_samples(path)) == 5000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_read_samples_can_be_walked_again(tmp_path: Path) -> None:
    found = read_samples(write(tmp_path, "s.jsonl", '{"question": "a"}\n'))
    assert list(found) == list(found) == [Sample(question="a", id="1")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"question": "a"}\n\n{"question": ', ["line 3", "not JSON", "one object per line"]),
        ('{\n  "question": "a"\n}\n', ["line 1", "goes over several lines"]),
        ('{"question": "a"}\n"text"\n', ["line 2", "expected an object", "got str 'text'"]),
        ('[{"question": "a"}, 5]', ["item 2", "got int 5"]),
        ('[{"question": "a"},\n', ["line 2", "is no JSON array"]),
        ('{"frage": "a"}\n', ["line 1", "there is no question", "'frage'", "columns={'question': ...}"]),
        ('{"question": ""}\n', ["line 1", "the 'question' is empty"]),
        ('{"question": ["a", "b"]}\n', ["line 1", "the question is a list", "several turns"]),
        ('{"question": "a", "answer": true}\n', ["`answer` must be text, got bool True"]),
        ('{"question": "a", "contexts": "c"}\n', ["`contexts` must be a list of texts, got str 'c'", "wrap"]),
        ('{"question": "a", "contexts": [{"text": "c"}]}\n', ["`contexts[0]` must be text, got dict"]),
        ('{"question": "a", "answerable": "perhaps"}\n', ["`answerable` must be true or false"]),
        ('{"question": "a", "metadata": [1]}\n', ["`metadata` must be an object, got list"]),
        ('{"question": "a", "user_input": "b"}\n', ["both 'question' and 'user_input' hold the question"]),
        ('{"question": "a", "id": "x"}\n{"question": "b", "id": "x"}\n', ["line 2", "'x' is given twice", "line 1"]),
        ('{"format": "llmopt report", "version": 1}', ["Report.from_json"]),
        ("", ["holds no samples"]),
        (" \n\n", ["holds no samples"]),
        ("[]", ["holds no samples"]),
        (b'{"question": "a"}\n{"question": "\xc4\xe3\xba\xc3"}\n', ["not UTF-8 text (byte 0xc4)", "GB18030"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    with pytest.raises(SampleError) as caught:
        load_samples(write(tmp_path, "s.jsonl", content))
    assert "s.jsonl" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no file .*missing\.jsonl"):
        load_samples(tmp_path / "missing.jsonl")
    with pytest.raises(SampleError, match="CSV UTF-8"):
        load_samples(write(tmp_path, "s.xlsx", b"PK"))
    with pytest.raises(SampleError, match=r"name that ends in \.jsonl"):
        load_samples(write(tmp_path, "s.txt", "a"))
    with pytest.raises(SampleError, match=r"without queries\.jsonl"):
        load_samples(tmp_path)


# --- other tools' names


@pytest.mark.parametrize(
    "record",
    [
        {"user_input": "q", "response": "a", "retrieved_contexts": ["c"], "reference": "r"},
        {"question": "q", "answer": "a", "contexts": ["c"], "ground_truth": "r"},
        {"question": "q", "answer": "a", "contexts": ["c"], "ground_truths": ["r"]},
        {"input": "q", "actual_output": "a", "retrieval_context": ["c"], "expected_output": "r"},
    ],
)
def test_the_layouts_of_other_tools_are_known(tmp_path: Path, record: Mapping[str, object]) -> None:
    path = write(tmp_path, "s.jsonl", json.dumps(record))
    assert load_samples(path) == [Sample(question="q", id="1", answer="a", contexts=("c",), reference="r")]


def test_several_ground_truths_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "s.jsonl", '{"question": "q", "ground_truths": ["r", "s"]}')
    assert load_samples(path)[0].metadata == {"references": ["s"]}


def test_columns_can_be_named_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path, "s.csv", "Frage,answer\nWas?,Nichts\n")
    found = load_samples(path, columns={"question": "Frage", "reference": "answer"})
    assert found == [Sample(question="Was?", id="1", reference="Nichts")]
    with pytest.raises(SampleError, match="names the field 'frage'"):
        load_samples(path, columns={"frage": "Frage"})


# --- CSV


def test_csv_cells_are_read_as_what_they_are(tmp_path: Path) -> None:
    header = "id,question,answer,contexts,gold,answerable,note\r\n"
    rows = (
        '7,"a, b\nc","x ""y""","[""c1"", ""c2""]",d1,yes,keep\r\n'
        "8,b,,\"['c1', 'c2']\",,FALSE,\r\n"
        ",,,,,,\r\n"
        "9,c,,[1] a plain text,,,\r\n"
    )
    path = write(tmp_path, "s.csv", b"\xef\xbb\xbf" + (header + rows).encode())
    first, second, third = load_samples(path)
    assert (first.question, first.answer, first.contexts) == ("a, b\nc", 'x "y"', ("c1", "c2"))
    assert (first.gold, first.answerable, first.metadata) == (("d1",), True, {"note": "keep"})
    assert second.answerable is False
    assert third.contexts == ("[1] a plain text",)


def test_lists_as_python_prints_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    contexts = ["it's", 'he "said"', "a, b"]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["question", "contexts"], ["q", str(contexts)]])
    assert load_samples(path)[0].contexts == tuple(contexts)


def test_metadata_as_python_prints_them_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "s.csv", "question,metadata\nq,\"{'language': 'en', 'n': 1}\"\n")
    assert load_samples(path)[0].metadata == {"language": "en", "n": 1}


def test_tabs_separate_a_tsv(tmp_path: Path) -> None:
    assert load_samples(write(tmp_path, "s.tsv", "question\tanswer\na\tb,c\n"))[0].answer == "b,c"


def test_a_cell_may_be_longer_than_csvs_limit_and_the_limit_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = write(tmp_path, "s.csv", "question,answer\nq," + "x" * 500_000 + "\n")
    assert len(load_samples(path)[0].answer) == 500_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("question,answer\na\n", ["line 2", "1 cells, the first line names 2 columns"]),
        ('question,answer\n"a\nb",c\nd,e,f\n', ["line 4", "3 cells"]),
        ("question,question\na,b\n", ["line 1", "'question' is there twice"]),
        ('question\n"a\n', ["line 2", "not CSV"]),
        ("question,contexts\nq,['a' 'b']\n", ["line 2", "numpy array", ".tolist()"]),
        ('question,contexts\nq,"[""a"", ""b"\n', ["line 2", "32,767"]),
        ("question,metadata\nq,nonsense\n", ["line 2", "`metadata` must be a JSON object"]),
        (b"question\n\xc4\xe3\xba\xc3\n", ["not UTF-8"]),
        ("", ["holds no samples"]),
        ("question\n", ["holds no samples"]),
    ],
)
def test_what_is_wrong_in_csv_is_said_with_its_line(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    with pytest.raises(SampleError) as caught:
        load_samples(write(tmp_path, "s.csv", content))
    for word in words:
        assert word in str(caught.value)


# --- BEIR


def beir(folder: Path, qrels: str) -> Path:
    (folder / "qrels").mkdir()
    write(folder, "corpus.jsonl", '{"_id": "d1", "title": "T", "text": "x"}\n{"_id": "d2", "title": "", "text": "y"}\n')
    write(folder, "queries.jsonl", '{"_id": "1", "text": "a?"}\n{"_id": "2", "text": "b?"}\n')
    write(folder / "qrels", "test.tsv", qrels)
    return folder


def test_a_beir_folder_gives_judged_queries_with_their_grades(tmp_path: Path) -> None:
    folder = beir(tmp_path, "query-id\tcorpus-id\tscore\n2\td1\t2\n2\td2\t0\n")
    assert load_samples(folder) == [
        Sample(question="b?", id="2", gold=("d1",), metadata={"qrels": {"d1": 2, "d2": 0}})
    ]  # fmt: skip
    assert [(document.id, document.text) for document in beir_corpus(folder)] == [("d1", "T\nx"), ("d2", "y")]


def test_judgements_without_a_heading_lose_no_line(tmp_path: Path) -> None:
    assert [sample.id for sample in load_samples(beir(tmp_path, "1\td1\t1\n2\td2\t1\n"))] == ["1", "2"]


def test_a_beir_folder_says_what_is_wrong(tmp_path: Path) -> None:
    folder = beir(tmp_path, "query-id\tcorpus-id\tscore\n2 d1 2\n")
    with pytest.raises(SampleError, match=r"test\.tsv, line 2: expected a query id"):
        load_samples(folder)
    with pytest.raises(SampleError, match=r"no judgements 'dev'.*there are: test"):
        load_samples(folder, split="dev")


# --- the way back

Texts = st.text(max_size=8)
Plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | Texts | st.dates() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(Texts, inner, max_size=3)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=6,
)
Samples = st.builds(
    Sample,
    question=st.text(min_size=1, max_size=8),
    answer=Texts,
    contexts=st.lists(Texts, max_size=3).map(tuple),
    context_ids=st.lists(Texts, max_size=3).map(tuple),
    reference=st.none() | st.text(min_size=1, max_size=8),
    gold=st.lists(Texts, max_size=3).map(tuple),
    answerable=st.none() | st.booleans(),
    category=Texts,
    group=Texts,
    abstained=st.none() | st.booleans(),
    metadata=st.dictionaries(Texts, Plain, max_size=3),
)


@pytest.mark.parametrize("name", ["s.jsonl", "s.csv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=st.lists(Samples, min_size=1, max_size=3))
def test_what_is_saved_comes_back_equal(tmp_path: Path, name: str, samples: list[Sample]) -> None:
    path = tmp_path / name
    listed = [replace(sample, id=str(number)) for number, sample in enumerate(samples)]
    save_samples(path, listed)
    assert load_samples(path) == listed


@pytest.mark.parametrize("name", ["s.jsonl", "s.csv"])
def test_a_full_sample_comes_back_equal(tmp_path: Path, name: str) -> None:
    save_samples(tmp_path / name, [FULL])
    assert load_samples(tmp_path / name) == [FULL]


def test_half_a_surrogate_pair_can_be_saved(tmp_path: Path) -> None:
    broken = Sample(question="a\ud83d", id="1")
    save_samples(tmp_path / "s.jsonl", [broken])
    assert load_samples(tmp_path / "s.jsonl") == [broken]


def test_metadata_without_a_json_form_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sample 's'.*metadata\['x'\] is a builtins\.object"):
        save_samples(tmp_path / "s.jsonl", [Sample(question="q", id="s", metadata={"x": object()})])
    assert not (tmp_path / "s.jsonl").exists()


def test_samples_are_saved_as_lines_or_csv_only(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"saved as \.jsonl or \.csv"):
        save_samples(tmp_path / "s.xml", [FULL])
