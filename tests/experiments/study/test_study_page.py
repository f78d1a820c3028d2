"""The page of a study in a real browser, from the disk, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest
from chromium import BROWSER, Chromium

from llmopt import Sample, Score
from llmopt._fences import Fenced, fence_all
from llmopt._stats import Estimate
from llmopt.evaluation import ModelCall, Report, Row, Run, Spent
from llmopt.experiments.diagnosis import Cause, CauseShare, Diagnosis, Finding, Suggestion
from llmopt.experiments.study import Study
from llmopt.experiments.study.variant import Decided
from llmopt.types import Citation, Message, Usage, Verdict

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")

LISTEN = """
window.complaints = [];
addEventListener("error", (event) => complaints.push(event.message));
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => complaints.push(event.effectiveDirective));
for (const level of ["error", "warn"]) console[level] = (...what) => complaints.push(what.join(" "));
"""
SCRIPTS = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
HOSTILE = f"```\n{SCRIPTS}\x00\x1b\ud800\u202e 猫\n```"


class Browser(Chromium):
    """A browser that shows studies and listens for what they complain of."""

    def listen(self) -> None:
        self.say("Page.enable")
        self.say("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        self.size(1280)

    def open(self, study: Study, folder: Path, fragment: str = "") -> None:
        study.to_html(folder / "page.html")
        self.say("Page.navigate", url=(folder / "page.html").as_uri() + fragment)
        self.until("performance.getEntriesByName('search-ready').length === 1")

    def text(self, selector: str) -> str:
        return str(self.value(f"document.querySelector({selector!r}).textContent"))

    def choose(self, id: str, value: str) -> None:
        event = "input" if id == "search" else "change"
        self.value(
            f"byId({id!r}).value = {value!r}; byId({id!r}).dispatchEvent(new Event({event!r}, {{ bubbles: true }})); 1"
        )


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as started:
        started.listen()
        yield started
        assert started.value("window.complaints ?? []") == [], "the page complains"


def row(number: int, right: bool, name: str) -> Row:
    """Return a row with everything that a row can have."""
    passages = (
        f"Passage {number} says {number}, and a little more than that.",
        f"Another passage of {name}, just as long.",
    )
    prompt = fence_all([Fenced(f"context {n}", passage) for n, passage in enumerate(passages, 1)])
    hostile = number == 3
    sample = Sample(
        question=f"What is {HOSTILE}?" if hostile else f"What is number {number}?",
        id=f"s{number}",
        answer=f"{HOSTILE} {name}" if hostile else f"It is {number}, says {name}.",
        contexts=passages,
        context_ids=(f"d{number}", "other"),
        reference=f"reference {number}",
        gold=(f"d{number}",),
        category="even" if number % 2 == 0 else "odd",
    )
    verdicts = (
        Verdict(f"It is {number}.", right, "the first passage says so", 0.9),
        Verdict("It is said.", None, "unsure"),
    )
    calls = (
        ModelCall("pipeline", "OpenAIChat", (Message("user", f"{prompt}\n{sample.question}"),), sample.answer),
        ModelCall("right", "OpenAIChat", (Message("system", "Judge."),), "", error="RateLimitError: too many"),
    )
    scores = {
        "right": Score(float(right), "so it is", verdicts=verdicts, details={"coverage": 1.0, "unbroken": "x" * 90})
    }
    return Row(
        sample,
        scores,
        Run(Spent(1.5, Usage(100, 20, calls=1), 0.001, 0.001), citations=(Citation(1, "d"),)),
        calls=calls,
    )


def study(samples: int = 40) -> Study:
    """Return a climb of three steps with a diagnosis."""
    rights = {"baseline": 3, "better": 2, "worse": 5, "best": 1}
    reports = {
        name: Report(tuple(row(n, n % every == 0, name) for n in range(samples)), ("right",), name)
        for name, every in rights.items()
    }
    made = Study.of_reports(reports, "right", title="Numbers & <b>more</b>")
    decisions: tuple[Decided, ...] = ("keep", "keep", "drop", "undecided")
    reasons = ("", "+0.167, p = 0.01", "does not help: at most +0.010", "needs 40 more samples to tell")
    variants = tuple(
        replace(v, decision=d, reason=r) for v, d, r in zip(made.variants, decisions, reasons, strict=True)
    )
    share = Estimate(0.2, 0.1, 0.3, samples, "wilson")
    causes: tuple[Cause, ...] = ("not fetched", "reasoning")
    findings = [
        Finding(each.sample, causes[number // 2 % 2], "found at rank 14", {"current": (0.0,), "gold": (1.0, None)})
        for number, each in enumerate(reports["better"].rows)
        if each.scores["right"].value == 0
    ]
    diagnosis = Diagnosis(
        "right",
        samples,
        len(findings),
        findings,
        [CauseShare(cause, 1, share, share) for cause in causes],
        {"context": share, "behaviour": Estimate(0.1, 0.0, 0.2, samples, "wilson")},
        reports["better"],
        [
            Suggestion(
                "fetch more", "not fetched", "The passage ranks 14th.", "ladder.step('fetch more', k=20)", {}, 0.2, 1
            )
        ],
    )
    return replace(made, variants=variants, diagnosis=diagnosis)


def test_the_overview_is_there_with_its_pictures_and_without_a_complaint(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path)
    assert browser.text("h1") == "Numbers & <b>more</b>"
    headings = browser.value("[...document.querySelectorAll('h2')].map((one) => one.textContent)")
    expected = [
        "The climb",
        "Where it fails",
        "What to try next",
        "Quality and cost",
        "Metrics",
        "Categories",
        "Samples",
    ]
    assert headings == expected
    assert browser.value("document.querySelector('svg.climb').getBoundingClientRect().width") != 0
    for part in ("svg.map", "svg.trade", "svg.histogram", "svg.cause-bar"):
        assert browser.value(f"document.querySelectorAll('{part}').length") != 0, part
    assert browser.value("getComputedStyle(document.querySelector('.stairs')).stroke") == "rgb(13, 102, 112)"
    assert browser.text("pre code") == "ladder.step('fetch more', k=20)"
    assert browser.value("performance.getEntriesByType('resource').length") == 0


def test_filters_and_search_find_samples(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path)
    assert browser.text("#count") == "40 of 40 samples"
    browser.choose("search", "NUMBER 17")
    assert browser.text("#count") == "1 of 40 samples"
    browser.choose("search", "reference 2")
    assert browser.text("#count") == "14 of 40 samples", (
        "every word somewhere: 2, 12, 20 to 29, 32 and the one with <img src=x onerror=...2>"
    )
    browser.choose("search", "says best.")
    assert browser.text("#count") == "39 of 40 samples", "answers of every variant"
    browser.choose("search", "")
    browser.choose("variant", "1")
    browser.choose("show", "low")
    assert browser.text("#count") == "20 of 40 samples"
    browser.choose("category", "2")
    assert browser.text("#count") == "20 of 40 samples"
    browser.choose("cause", "1")
    assert browser.text("#count") != "20 of 40 samples"
    browser.value("byId('clear').click()")
    assert browser.text("#count") == "40 of 40 samples"
    browser.choose("show", "better")
    assert browser.text("#count") == "13 of 40 samples"


def test_the_list_is_sorted_by_its_headings(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path)
    sort = "document.querySelector('#sort-score').closest('[role=columnheader]').getAttribute('aria-sort')"
    assert browser.value(sort) == "none"
    browser.value("document.querySelector('#sort-score').click()")
    assert browser.value(sort) == "ascending"
    assert browser.value("document.activeElement.id") == "sort-score"
    first = "document.querySelector('#rows [aria-rowindex=\"2\"] .figure:nth-child(3)').textContent"
    assert browser.value(first) == "0"
    browser.value("document.querySelector('#sort-score').click()")
    assert browser.value(sort) == "descending"
    assert browser.value(first) == "1"


def test_a_sample_is_read_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path)
    browser.value("byId('grid').focus()")
    for _ in range(3):
        browser.press("ArrowDown")
    browser.until("byId('detail').dataset.sample === 's2'")
    assert browser.value("document.activeElement.id") == "grid"
    active = "byId(byId('grid').getAttribute('aria-activedescendant'))"
    assert browser.value(f"{active}.getAttribute('aria-selected')") == "true"
    browser.press("Enter")
    browser.until("document.activeElement.id === 'question'")
    browser.press("Escape")
    assert browser.value("document.activeElement.id") == "grid"
    browser.press("End")
    browser.until("byId('detail').dataset.sample === 's39'")
    assert browser.value(f"{active}.getAttribute('aria-rowindex')") == "41"


def test_a_sample_shows_everything_down_to_its_prompts(browser: Browser, tmp_path: Path) -> None:
    made = study()
    browser.open(made, tmp_path, "#sample=s5&variant=1")
    browser.until("byId('detail').dataset.sample === 's5'")
    shown = browser.text("#detail")
    sample = made.variants[1].report.rows[5]
    for text in (
        "s5",
        "odd",
        "reference 5",
        "It is 5, says better.",
        "✗",
        "?",
        "the first passage says so · p = 0.9",
    ):
        assert text in shown
    assert "reasoning" in shown or "not fetched" in shown
    assert "gold contexts: 1 none" in shown
    assert all(context in shown for context in sample.sample.contexts)
    assert browser.value("[...document.querySelectorAll('.tag')].map((one) => one.textContent)") == ["gold", "cited"]
    messages = browser.value("[...document.querySelectorAll('.message pre')].map((one) => one.textContent)")
    assert messages == [
        sample.calls[0].messages[0].content,
        sample.calls[0].reply,
        "Judge.",
        "RateLimitError: too many",
    ]
    browser.value(
        "[...document.querySelectorAll('.answer')].find((one) => one.textContent.includes('says worse')).click()"
    )
    browser.until("document.querySelector('.answer[aria-pressed=true]').textContent.includes('says worse')")
    assert browser.value("byId('variant').selectedOptions[0].textContent") == "worse"


def test_a_hostile_sample_shows_as_text(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path, "#sample=s3&variant=0")
    browser.until("byId('detail').dataset.sample === 's3'")
    shown = browser.text("#detail .answer[aria-pressed=true] .text")
    visible = (
        HOSTILE.replace("\x00", "\\u0000")
        .replace("\x1b", "\\u001b")
        .replace("\ud800", "\\ud800")
        .replace("\u202e", "\\u202e")
    )
    assert shown == f"{visible} baseline"
    assert "猫" in browser.text("#question")
    assert browser.value("window.broken === undefined && document.images.length === 0")


def test_what_a_screen_reader_needs_is_there(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path, "#sample=s3&variant=0")
    browser.until("byId('detail').dataset.sample")
    assert browser.value("document.documentElement.lang") == "en"
    assert browser.value("document.querySelectorAll('main, header, footer, nav').length") == 4
    assert browser.value(
        "[...document.querySelectorAll('section')].every((one) => byId(one.getAttribute('aria-labelledby')))"
    )
    assert browser.value(
        "[...document.querySelectorAll('svg')].every((one) => one.ariaHidden === 'true' || one.ariaLabel)"
    )
    assert browser.value("[...document.querySelectorAll('th')].every((one) => one.scope)")
    assert browser.value("[...document.querySelectorAll('input, select')].every((one) => one.labels.length)")
    assert browser.value("[...document.querySelectorAll('button')].every((one) => one.textContent.trim())")
    levels = cast(
        "list[int]",
        browser.value("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))"),
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    duplicates = (
        "((ids) => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map((one) => one.id))"
    )
    assert browser.value(duplicates) == 0
    assert browser.value("byId('grid').getAttribute('aria-rowcount')") == "41"
    browser.open(study(), tmp_path)
    browser.press("Tab")
    assert browser.text(":focus") == "Skip to the samples"
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_colours_follow_the_system_and_contrast_with_the_paper(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path)
    contrast = """(() => {
      const linear = (one) => (one <= .03928 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4);
      const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((one) => linear(one / 255))
        .reduce((sum, one, place) => sum + one * [.2126, .7152, .0722][place], 0);
      const of = (one) => getComputedStyle(one).color;
      const paper = light(getComputedStyle(document.body).backgroundColor);
      return ["body", ".said", "nav a", "thead th", ".decision"].map((name) => light(of(document.querySelector(name))))
        .map((ink) => (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05));
    })()"""
    papers: list[object] = []
    for scheme in ("light", "dark"):
        browser.say("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        papers.append(browser.value("getComputedStyle(document.body).backgroundColor"))
        assert min(cast("list[float]", browser.value(contrast))) >= 4.5, scheme
    assert papers == ["rgb(252, 252, 251)", "rgb(20, 23, 26)"]


def test_a_phone_and_paper_need_no_scrolling_sideways(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(), tmp_path, "#sample=s3&variant=0")
    browser.until("byId('detail').dataset.sample")
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    browser.size(375)
    assert browser.value(wider) == 0
    browser.size(794)
    browser.say("Emulation.setEmulatedMedia", media="print")
    assert browser.value(wider) == 0
    assert browser.value("getComputedStyle(byId('filters')).display") == "none"
    assert browser.value("getComputedStyle(byId('detail')).display") == "block"
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_list_of_thousands_holds_only_the_rows_in_sight(browser: Browser, tmp_path: Path) -> None:
    browser.open(study(samples=3000), tmp_path)
    assert browser.text("#count") == "3,000 of 3,000 samples"
    assert cast(int, browser.value("byId('rows').children.length")) < 40
    browser.value("byId('scroller').scrollTop = 1e9")
    browser.until("document.querySelector('#rows [aria-rowindex=\"3001\"]')")
    assert cast(int, browser.value("byId('rows').children.length")) < 40


def test_a_study_of_one_report_has_no_comparison_to_choose(browser: Browser, tmp_path: Path) -> None:
    only = study(samples=4).variants[0].report
    browser.open(Study.of_reports({"it": only}, "right"), tmp_path, "#sample=s1&variant=0")
    browser.until("byId('detail').dataset.sample === 's1'")
    assert browser.value("byId('variant').parentElement.hidden && byId('other').parentElement.hidden")
    assert browser.text("#head") == "QuestionScore"
