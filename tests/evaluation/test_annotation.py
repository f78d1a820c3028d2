"""What people are asked, blind and shuffled, and how their words come back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from llmopt.errors import SampleError, StorageError, UsageError
from llmopt.evaluation import (
    Annotation,
    AnnotationSet,
    Calibration,
    Report,
    Row,
    majority,
    read_annotations,
    write_annotation_page,
    write_annotation_sheet,
)
from llmopt.types import Sample, Score

SAMPLES = [
    Sample(question=f"question {n}?", id=f"s{n}", answer=f"answer {n}", contexts=(f"context {n}",), reference="right")
    for n in range(12)
]


def report(word: str, count: int = 12) -> Report:
    rows = [
        Row(Sample(question=f"question {n}?", id=f"s{n}", answer=f"{word} {n}"), {"m": Score(n / count)})
        for n in range(count)
    ]
    return Report(tuple(rows), ("m",))


def saved(
    path: Path, items: AnnotationSet, annotator: str, said: dict[str, str], changes: dict[str, object] | None = None
) -> Path:
    content: dict[str, object] = {
        "format": "llmopt annotations",
        "version": 1,
        "set": items.fingerprint,
        "annotator": annotator,
        "labels": [{"item": key, "label": label, "note": "n", "seconds": 1.5} for key, label in said.items()],
    }
    path.write_text(json.dumps({**content, **(changes or {})}))
    return path


# --- what is asked


def test_items_are_shuffled_by_the_seed_and_their_keys_tell_nothing() -> None:
    first, again, other = (AnnotationSet.of_samples(SAMPLES, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [item.sample for item in first.items] != [item.sample for item in other.items]
    assert sorted(item.sample for item in first.items) == sorted(sample.id for sample in SAMPLES)
    assert [item.key for item in first.items][:2] == ["item-01", "item-02"]


def test_contexts_and_reference_are_shown_unless_they_are_not_to_be() -> None:
    both = AnnotationSet.of_samples(SAMPLES).items[0]
    neither = AnnotationSet.of_samples(SAMPLES, show=[]).items[0]
    assert (len(both.contexts), both.reference) == (1, "right")
    assert (neither.contexts, neither.reference) == ((), "")


def test_several_systems_are_mixed() -> None:
    items = AnnotationSet.of_reports({"old": report("a"), "new": report("b")}).items
    assert len(items) == 24
    assert {item.systems for item in items[:12]} == {("old",), ("new",)}


def test_pairs_stand_in_either_order_and_equal_answers_are_left_out() -> None:
    items = AnnotationSet.of_pairs({"old": report("a"), "new": report("b"), "copy": report("a ")}).items
    assert {frozenset(item.systems) for item in items} == {frozenset({"old", "new"}), frozenset({"new", "copy"})}
    firsts = [item.systems[0] for item in items if "old" in item.systems]
    assert 0 < firsts.count("old") < len(firsts) == 12
    for item in items:
        assert item.answers[0].startswith("b" if item.systems[0] == "new" else "a")


def test_nothing_to_judge_and_no_choice_are_refused() -> None:
    with pytest.raises(UsageError, match="nothing to annotate"):
        AnnotationSet.of_samples([Sample(question="q")])
    with pytest.raises(UsageError, match="nothing to annotate"):
        AnnotationSet.of_pairs({"a": report("x"), "b": report("x")})
    with pytest.raises(UsageError, match="two or more different labels"):
        AnnotationSet.of_samples(SAMPLES, labels=["yes", "yes"])


def test_a_set_can_be_saved_and_loaded(tmp_path: Path) -> None:
    items = AnnotationSet.of_pairs({"old": report("a"), "new": report("b")})
    items.save(tmp_path / "key.json")
    loaded = AnnotationSet.load(tmp_path / "key.json")
    assert loaded == items
    assert loaded.fingerprint == items.fingerprint
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(StorageError, match="lacks the field"):
        AnnotationSet.load(tmp_path / "key.json")


def test_neither_page_nor_sheet_tell_which_system_it_was(tmp_path: Path) -> None:
    items = AnnotationSet.of_pairs({"secret-old": report("a"), "secret-new": report("b")})
    write_annotation_page(tmp_path / "page.html", items)
    write_annotation_sheet(tmp_path / "sheet.csv", items)
    for name in ("page.html", "sheet.csv"):
        content = (tmp_path / name).read_text("utf-8")
        assert "secret" not in content
        assert "s11" not in content


def test_text_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    evil = Sample(question="</script><script>alert(1)</script>", id="1", answer="<!-- \u2028 猫 </SCRIPT>")
    write_annotation_page(tmp_path / "page.html", AnnotationSet.of_samples([evil]), title="<b>")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.lower().count("</script>") == 2
    assert "alert(1)</" not in page


# --- what comes back


def test_labels_come_back_with_their_sample_and_annotator(tmp_path: Path) -> None:
    items = AnnotationSet.of_samples(SAMPLES)
    first = saved(tmp_path / "ann.json", items, "Ann", {"item-01": "yes", "item-02": "no"})
    second = saved(tmp_path / "bob.json", items, "Bob", {"item-01": "no"})
    found = read_annotations(items, first, second)
    assert found[0] == Annotation(items.items[0].sample, "", "yes", "Ann", "", "n", 1.5)
    assert [(a.annotator, a.label) for a in found] == [("Ann", "yes"), ("Ann", "no"), ("Bob", "no")]


def test_a_choice_between_two_comes_back_as_the_better_system(tmp_path: Path) -> None:
    items = AnnotationSet.of_pairs({"old": report("a"), "new": report("b")})
    path = saved(tmp_path / "a.json", items, "Ann", {"item-01": "first", "item-02": "second", "item-03": "tie"})
    found = read_annotations(items, path)
    assert [a.label for a in found] == [items.items[0].systems[0], items.items[1].systems[1], "tie"]
    assert {(a.system, a.other) for a in found} <= {("old", "new"), ("new", "old")}


def test_what_one_says_later_counts(tmp_path: Path) -> None:
    items = AnnotationSet.of_samples(SAMPLES)
    first = saved(tmp_path / "1.json", items, "Ann", {"item-01": "yes"})
    second = saved(tmp_path / "2.json", items, "Ann", {"item-01": "no"})
    assert [a.label for a in read_annotations(items, first, second)] == ["no"]


def test_a_sheet_is_filled_in_and_read(tmp_path: Path) -> None:
    items = AnnotationSet.of_samples([Sample(question="=2+2?", id="1", answer="-4"), *SAMPLES[:2]])
    path = tmp_path / "sheet.csv"
    write_annotation_sheet(path, items)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["question"][0] for row in rows} == {"'", "q"}
    rows[0] |= {"label": "yes", "annotator": "Ann", "note": "a, b"}
    rows[2] |= {"label": " no "}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = read_annotations(items, path)
    assert [(a.sample, a.label, a.annotator, a.note) for a in found] == [
        (items.items[0].sample, "yes", "Ann", "a, b"),
        (items.items[2].sample, "no", "sheet", ""),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"set": "other"}, "another annotation set"),
        ({"version": 7}, "expected 'llmopt annotations' 1"),
        ({"labels": [{"item": "item-99", "label": "yes"}]}, "no item 'item-99'"),
        ({"labels": [{"item": "item-01", "label": "perhaps"}]}, "'perhaps', expected one of yes, no"),
        ({"labels": "x"}, "must be a list"),
        ({"extra": 1}, "'extra'"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    items = AnnotationSet.of_samples(SAMPLES)
    path = saved(tmp_path / "a.json", items, "Ann", {}, changes)
    with pytest.raises((SampleError, StorageError)) as caught:
        read_annotations(items, path)
    assert words in str(caught.value)
    assert "a.json" in str(caught.value)


def test_sheets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    items = AnnotationSet.of_samples(SAMPLES)
    (tmp_path / "a.csv").write_text("item,label\nitem-01,yes\n")
    with pytest.raises(SampleError, match="column 'set' is missing"):
        read_annotations(items, tmp_path / "a.csv")
    write_annotation_sheet(tmp_path / "b.csv", AnnotationSet.of_samples(SAMPLES, seed=9))
    with pytest.raises(SampleError, match="another annotation set"):
        read_annotations(items, tmp_path / "b.csv")
    with pytest.raises(StorageError, match="cannot read"):
        read_annotations(items, tmp_path / "missing.json")


# --- on to the figures


def said(sample: str, label: str, annotator: str, system: str = "") -> Annotation:
    return Annotation(sample, system, label, annotator)


def test_the_majority_decides_and_a_draw_decides_nothing() -> None:
    found = majority(
        [
            said("1", "yes", "a"),
            said("1", "yes", "b"),
            said("1", "no", "c"),
            said("2", "yes", "a"),
            said("2", "no", "b"),
        ]
    )
    assert found == {"1": "yes"}
    assert majority([said("1", "yes", "a", "new")], system="new") == {"1": "yes"}
    assert majority([said("1", "yes", "a", "new")]) == {}


def test_labels_of_people_calibrate_a_metric() -> None:
    judged = report("a", 8)
    labels = {f"s{n}": "yes" if n >= 4 else "no" for n in range(8)}
    people = majority(said(sample, label, "a") for sample, label in labels.items())
    found = Calibration.of_report(judged, "m", {sample: label == "yes" for sample, label in people.items()})
    assert found.auc == 1.0
    assert found.confusion.agreement == 1.0
