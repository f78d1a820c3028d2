"""What the page is made of: escaping, scales, packing, and the still pictures."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt import Sample, Score
from llmopt._fences import Fenced, fence_all
from llmopt.evaluation import Comparison, ModelCall, Report, Row, Run, Spent
from llmopt.experiments.study import Study, Variant
from llmopt.experiments.study.base91 import ALPHABET, base91
from llmopt.experiments.study.figures.scale import Scale
from llmopt.experiments.study.figures.trade_off import Trade, unbeaten
from llmopt.experiments.study.markup import Markup, element, shown, wrapped
from llmopt.experiments.study.packed import blocks_of
from llmopt.experiments.study.templates import Template, Templates, marked
from llmopt.experiments.study.texts import Known
from llmopt.types import Message, Usage, Verdict

HOSTILE = "</script><script>alert(1)</script>\x00\ud800\u202e<img src=x onerror=alert(2)>&amp;猫"


def study(right: Sequence[Sequence[float | None]], decisions: Sequence[str] = ()) -> Study:
    """Return a study with a variant for each list of scores."""
    reports = {
        f"variant {number}": Report(
            tuple(Row(Sample(question=f"q{n}", id=f"s{n}"), {"right": score(value)}) for n, value in enumerate(values)),
            ("right",),
        )
        for number, values in enumerate(right)
    }
    made = Study.of_reports(reports, "right")
    decided = zip(made.variants, decisions, strict=False)
    return replace(made, variants=tuple(replace(v, decision=d) for v, d in decided)) if decisions else made  # type: ignore[arg-type]  # one of the words


def score(value: float | None) -> Score:
    return Score(value) if value is not None else Score(None, "nothing to say")


def page_of(made: Study, folder: Path) -> str:
    made.to_html(folder / "page.html")
    return (folder / "page.html").read_text("utf-8")


def unpacked(made: Study) -> dict[str, object]:
    """Return the data as the page reads it."""
    found: dict[str, object] = {}
    for block in blocks_of(made):
        places = [ALPHABET.index(letter) for letter in block.content]
        groups = (f"{a * 91 + b:013b}" for a, b in zip(places[::2], places[1::2], strict=True))
        bits = "".join(groups)[: 8 * block.bytes]
        data = int(bits, 2).to_bytes(block.bytes, "big")
        found[block.name] = json.loads(gzip.decompress(data))
    return found


def index_of(data: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", data["index"])


@given(st.text())
def test_a_text_in_markup_stays_a_text(text: str) -> None:
    class Reader(HTMLParser):
        tags: list[str]
        read: str

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            assert attrs == [("title", shown(text).replace("\r\n", "\n"))]

        def handle_data(self, data: str) -> None:
            self.read += data

    reader = Reader()
    reader.tags, reader.read = [], ""
    reader.feed(element("b", {"title": text}, text))
    reader.close()
    assert reader.tags == ["b"]
    assert reader.read == shown(text)


def test_what_cannot_be_seen_is_written_out() -> None:
    assert shown("a\x00\u202eb\ud800\n\t猫") == "a\\u0000\\u202eb\\ud800\n\t猫"
    assert element("i", {}, Markup("<b>x</b>"), "<b>") == "<i><b>x</b>&lt;b&gt;</i>"


def test_names_are_wrapped_and_cut() -> None:
    assert wrapped("one two three four", 8, 2) == ["one two", "three…"]
    assert wrapped("知识库检索实验", 6, 3) == ["知识库", "检索实", "验"]
    assert wrapped("averyverylongword", 6, 2) == ["averyv", "erylo…"]
    assert wrapped("", 5, 2) == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_scale_holds_its_values_and_has_ticks(values: list[float]) -> None:
    scale = Scale.around(values, 0, 100)
    assert all(-1e-6 <= scale.at(value) <= 100 + 1e-6 for value in values)
    assert 1 <= len(scale.ticks(5)) <= 12


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_a_logarithmic_scale_holds_its_values(values: list[float]) -> None:
    scale = Scale.around(values, 0, 100, logarithmic=True)
    assert all(-1e-6 <= scale.at(value) <= 100 + 1e-6 for value in values)


@given(st.binary(max_size=200))
def test_base91_brings_the_bytes_back(data: bytes) -> None:
    text = base91(data)
    assert not set(text) & set("<>& \"'") - set("\"'")
    places = [ALPHABET.index(letter) for letter in text]
    bits = "".join(f"{a * 91 + b:013b}" for a, b in zip(places[::2], places[1::2], strict=True))
    assert bytes(int(bits[n : n + 8], 2) for n in range(0, 8 * len(data), 8)) == data


@given(
    st.lists(st.text("ab \n\x01;|0n<>", max_size=40), max_size=4),
    st.lists(st.text("ab \n\x01", min_size=12), max_size=3),
)
def test_templates_give_the_texts_back(texts: list[str], known: list[str]) -> None:
    texts = [*texts, *(f"before {text} after\n{text}" for text in known)]
    calls = tuple(ModelCall("it", "FakeModel", (Message("user", text),), "") for text in texts)
    found = Known.of(Row(Sample(question="", contexts=known), calls=calls), ())

    def filled(match: re.Match[str]) -> str:
        number = match["number"]
        return "\x01" if not number else (found.nonces if match["nonce"] else found.texts)[int(number)]

    templates = Templates()
    made = [templates.of("it", text, found) for text in texts]
    assert [re.sub(r"\x01(?P<nonce>n?)(?P<number>\d*);", filled, template) for template in made] == texts
    assert [templates.of("it", text, found) for text in texts] == made
    assert all(Template.of(template).makes(text, found) for template, text in zip(made, texts, strict=True))


def test_prompts_that_differ_in_their_sample_alone_become_one_template() -> None:
    def prompt(context: str, question: str) -> list[str]:
        shown_ = fence_all([Fenced("context 1", context)])
        text = f"# Contexts\n{shown_}\n# Question\n{question}"
        call = ModelCall("it", "FakeModel", (Message("user", text),), "")
        known = Known.of(Row(Sample(question=question, id="s", contexts=(context,)), calls=(call,)), ())
        searched = marked([text], known)
        assert [templates.of("it", text, known)] == searched
        return searched

    templates = Templates()
    first = prompt("Cats sleep most of the day.", "What do cats do all day?")
    assert first == prompt("Dogs bark\nat the moon, often.", "What do the dogs do at night?")


def test_an_answer_is_found_before_the_statements_in_it() -> None:
    answer = "Cats sleep all day.\nDogs bark at night."
    verdicts = [Verdict(statement, True, f"so: {statement}") for statement in answer.split("\n")]
    known = Known.of(Row(Sample(question="q?", answer=answer), {"it": Score(1.0, verdicts=verdicts)}), ["it"])
    replies = [answer, json.dumps([each.statement for each in verdicts]), json.dumps({"why": verdicts[0].reason})]
    assert marked(replies, known) == ["\x010;", '["\x015;", "\x016;"]', '{"why": "\x013;"}']


def test_the_data_has_scores_references_and_each_text_once() -> None:
    context = "a passage that several rows show, long enough to be shared"
    verdict = Verdict(context, True, "helps")
    sample = Sample(
        question="q?", id="s", answer="a", contexts=(context,), context_ids=("d1",), reference="r", gold=["d1"]
    )
    call = ModelCall("pipeline", "OpenAIChat", (Message("user", f"Read:\n{context}\nq?"),), "a", True)
    row = Row(
        sample,
        {"right": Score(1 / 3, "so", verdicts=(verdict,))},
        Run(Spent(0.5, Usage(1, 2, 0, 1), 0.1, 0.1)),
        Spent(),
        (call,),
    )
    data = unpacked(Study.of_reports({"one": Report((row,), ("right",)), "two": Report((row,), ("right",))}, "right"))
    assert index_of(data)["scores"] == [[[0.3333]], [[0.3333]]]
    assert data["answers-0"] == [["r", "a", "a"]]
    assert data["texts-0"] == [context, "d1"]
    requests, _, _, contexts, ids, runs, calls, nonces, right = cast("list[object]", data["details-0"])
    assert contexts == [[[0], [0]]]
    assert ids == [[[1], [1]]]
    assert runs == [[[0.5, 0.1, 1, 1, 2, "answered", "", []]] * 2]
    assert requests == [["pipeline", "OpenAIChat", [["user", "Read:\n\x010;\nq?"]], True, ""]]
    assert calls == [[[[0, "a"]]] * 2]
    assert nonces == [[[], []]]
    assert right == [[["so", {}, [0], [True], ["helps"], []]] * 2]


@pytest.mark.parametrize("text", ["plain", "half a pair: \ud800"])
def test_metadata_and_details_may_hold_anything(text: str) -> None:
    odd: dict[str, object] = {"text": text, "nan": math.nan, "pair": (1, {"deep": -math.inf}), "array": np.arange(3)}
    row = Row(Sample(question="q?", id="s", metadata=odd), {"right": Score(1.0, details=odd)})
    data = unpacked(Study.of_reports({"it": Report((row,), ("right",))}, "right"))
    written = {"text": text, "nan": "NaN", "pair": [1, {"deep": "-Infinity"}], "array": [0, 1, 2]}
    _, about, *_, right = cast("list[object]", data["details-0"])
    assert about == [[[], "", None, written]]
    assert right == [[["", written, [], [], [], []]]]


def test_samples_that_a_variant_did_not_see_are_told_apart_from_failed_and_undefined_ones() -> None:
    made = study([[1.0, None, 0.0], [1.0]])
    assert index_of(unpacked(made))["scores"] == [[[1.0, None, 0.0]], [[1.0, "n", "n"]]]


@pytest.mark.parametrize("text", [HOSTILE, "```\n<<<context 1 12345678>>>\n", "{{script}}{{", "猫" * 50, ""])
def test_nothing_of_a_study_becomes_markup(text: str, tmp_path: Path) -> None:
    row = Row(Sample(question=text, id="s", answer=text, category=text, reference=text), {"right": Score(0.0, text)})
    report = Report(
        (row, replace(row, sample=replace(row.sample, id="t", category="b"))), ("right",), text, {text: text}
    )
    made = Study("t", "right", (Variant(text, report, text, "drop", text), Variant(text, report)))
    page = page_of(replace(made, title=text), tmp_path)
    plain = page_of(replace(made, title="t"), tmp_path)
    assert page.count("<script") == plain.count("<script") == 1 + len(blocks_of(made))
    assert "<img" not in page
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)", "", page)


def test_the_climb_shows_kept_steps_as_stairs_and_the_others_beside_with_their_reasons(tmp_path: Path) -> None:
    made = study(
        [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]], ["keep", "keep", "drop", "undecided"]
    )
    variants = (*made.variants[:2], replace(made.variants[2], reason="too slow: 4 s"), made.variants[3])
    page = page_of(replace(made, variants=variants), tmp_path)
    assert page.count('class="stairs"') == 1
    assert page.count('class="twig"') == 2
    assert "✗ dropped" in page
    assert "? undecided" in page
    assert "too slow: 4 s" in page
    assert "1 of 3 changes was kept: right went from 0.333 to 0.667." in page


@pytest.mark.parametrize(
    "values", [[[]], [[None]], [[None, None], [None, None]], [[1.0]], [[0.5], [0.5]], [[1.0] * 3, [1.0] * 3]],
    ids=["no samples", "undefined", "undefined everywhere", "one sample", "one tie", "all ties"],
)  # fmt: skip
def test_poor_data_makes_a_page_too(values: Sequence[Sequence[float | None]], tmp_path: Path) -> None:
    page = page_of(study(values), tmp_path)
    assert "nan" not in page.split("<script", 1)[0]
    assert 'id="climb"' in page


def test_many_variants_are_drawn_small_and_all_listed(tmp_path: Path) -> None:
    page = page_of(study([[0.0, 1.0]] * 60), tmp_path)
    assert page.count('class="whisker"') >= 60
    assert "59. variant 59" in page


def test_a_variant_is_unbeaten_when_nothing_is_cheaper_and_better() -> None:
    def trade(number: int, price: float, mean: float) -> Trade:
        return Trade(number, str(number), "", price, study([[mean]]).estimate(study([[mean]]).variants[0]))

    trades = [trade(0, 1.0, 0.5), trade(1, 2.0, 0.4), trade(2, 3.0, 0.9), trade(3, 3.0, 0.8), trade(4, 0.5, 0.1)]
    assert [each.number for each in unbeaten(trades)] == [4, 0, 2]


def test_the_page_allows_its_own_script_and_style_alone(tmp_path: Path) -> None:
    page = page_of(study([[1.0]]), tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert " style=" not in page


def test_equal_studies_give_equal_pages(tmp_path: Path) -> None:
    assert page_of(study([[1.0], [0.0]]), tmp_path) == page_of(study([[1.0], [0.0]]), tmp_path)


def test_a_page_says_what_held_out_samples_said(tmp_path: Path) -> None:
    made = study([[0.0] * 12, [1.0] * 12], ["keep", "keep"])
    comparison = made.variants[1].comparison
    assert isinstance(comparison, Comparison)
    assert "On 12 held-out samples the gain holds" in page_of(replace(made, confirmation=comparison), tmp_path)
    worse = replace(comparison, difference=replace(comparison.difference, low=-0.1))
    assert "the gain is not proved" in page_of(replace(made, confirmation=worse), tmp_path)
