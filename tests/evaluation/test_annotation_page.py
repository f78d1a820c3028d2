"""The annotation page in a real browser, from the disk, without a network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import BROWSER, Chromium

from llmopt.evaluation import AnnotationSet, Report, Row, read_annotations, write_annotation_page
from llmopt.types import Sample

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")

SAMPLES = [
    Sample(
        question=f"What is {n}? <b>猫</b>", id=f"s{n}", answer=f"It is {n}.", contexts=[f"context {n}"], reference="r"
    )
    for n in range(4)
]


class Browser(Chromium):
    """A browser that shows annotation pages."""

    def open(self, page: Path) -> None:
        self.say("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && document.getElementById('labels')?.children.length")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as started:
        started.say("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        yield started


def shown(browser: Browser, id: str) -> str:
    return str(browser.value(f"document.getElementById({id!r}).textContent"))


def downloaded(folder: Path, pattern: str) -> Path:
    deadline = time.monotonic() + 30
    while not (found := [path for path in folder.glob(pattern) if not path.name.endswith("crdownload")]):
        assert time.monotonic() < deadline, list(folder.iterdir())
        time.sleep(0.05)
    return found[0]


def test_a_person_labels_by_keyboard_saves_and_the_labels_are_read(browser: Browser, tmp_path: Path) -> None:
    items = AnnotationSet.of_samples(SAMPLES, instruction="Is it right?", labels=("yes", "no", "unsure"))
    write_annotation_page(tmp_path / "page.html", items, title="Round 1")
    browser.open(tmp_path / "page.html")
    assert shown(browser, "title") == "Round 1"
    assert shown(browser, "instruction") == "Is it right?"
    assert shown(browser, "question") == items.items[0].question
    assert "<b>猫</b>" in shown(browser, "question")
    assert shown(browser, "contexts") == items.items[0].contexts[0]
    browser.value("document.getElementById('annotator').focus()")
    browser.write("Ann 李")
    browser.press("Escape")
    browser.press("1")
    browser.press("2")
    assert shown(browser, "question") == items.items[2].question
    browser.press("n")
    browser.write("not sure about 1")
    browser.press("Escape")
    browser.press("3")
    assert shown(browser, "count") == "3 of 4 done"
    browser.press("ArrowLeft")
    assert browser.value("document.getElementById('note').value") == "not sure about 1"
    assert browser.value("document.querySelector('[aria-pressed=true]').textContent.trim()") == "3  unsure"
    browser.press("s")
    found = read_annotations(items, downloaded(tmp_path, "annotations-*.json"))
    assert [(a.sample, a.label, a.note) for a in found] == [
        (items.items[0].sample, "yes", ""),
        (items.items[1].sample, "no", ""),
        (items.items[2].sample, "unsure", "not sure about 1"),
    ]
    assert {a.annotator for a in found} == {"Ann 李"}
    assert all(a.seconds is not None and a.seconds >= 0 for a in found)


def test_work_survives_closing_the_page_and_a_second_press_takes_a_label_back(browser: Browser, tmp_path: Path) -> None:
    items = AnnotationSet.of_samples(SAMPLES)
    write_annotation_page(tmp_path / "page.html", items)
    browser.open(tmp_path / "page.html")
    browser.press("1")
    browser.press("2")
    assert shown(browser, "count") == "2 of 4 done"
    deadline = time.monotonic() + 30
    while True:  # a busy browser takes a moment to hand what it stored to the next page
        browser.open(tmp_path / "page.html")
        if shown(browser, "count") == "2 of 4 done" or time.monotonic() > deadline:
            break
    assert shown(browser, "count") == "2 of 4 done"
    assert shown(browser, "question") == items.items[2].question
    browser.press("ArrowLeft")
    browser.press("2")
    assert shown(browser, "count") == "1 of 4 done"


def test_two_answers_stand_side_by_side(browser: Browser, tmp_path: Path) -> None:
    reports = {
        name: Report(tuple(Row(Sample(question="q", id=str(n), answer=f"{name}{n}")) for n in range(3)), ())
        for name in ("old", "new")
    }
    items = AnnotationSet.of_pairs(reports)
    write_annotation_page(tmp_path / "page.html", items)
    browser.open(tmp_path / "page.html")
    texts = browser.value("[...document.querySelectorAll('#answers .text')].map((part) => part.textContent)")
    assert texts == list(items.items[0].answers)
    labels = browser.value("[...document.querySelectorAll('#labels button')].map((b) => b.textContent)")
    assert labels == ["1  first", "2  second", "3  tie"]
    assert browser.value("document.getElementById('contexts-part').hidden") is True


def test_the_page_reaches_for_nothing(browser: Browser, tmp_path: Path) -> None:
    write_annotation_page(tmp_path / "page.html", AnnotationSet.of_samples(SAMPLES))
    browser.open(tmp_path / "page.html")
    assert browser.value("performance.getEntriesByType('resource').length") == 0
    browser.value(
        "document.addEventListener('securitypolicyviolation', (e) => { window.refused = e.effectiveDirective; })"
    )
    browser.value("fetch('http://127.0.0.1:9/').catch(() => 0); 1")
    browser.until("window.refused === 'connect-src'")
