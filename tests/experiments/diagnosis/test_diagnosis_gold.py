"""What an answer needs, what is known of the documents, and where a passage got lost."""

from __future__ import annotations

from llmopt import BM25, Direct, Document, Hybrid, Markdown, Pipeline, Sample
from llmopt.experiments.diagnosis.corpus import Corpus
from llmopt.experiments.diagnosis.gold import needed_of
from llmopt.experiments.diagnosis.place import locate
from llmopt.experiments.diagnosis.stand_in import StandIns
from llmopt.retrieval import Filtered
from llmopt.testing import FakeModel
from llmopt.types import Hit, Span

TEXT = "Cats sleep fifteen hours a day. Dogs bark at the moon. Cows eat grass all year."
WHOLE = Document("pets", TEXT)
FIRST = Document("pets#0", TEXT[:31], parent="pets", span=Span(0, 31))
SECOND = Document("pets#1", TEXT[32:], parent="pets", span=Span(32, len(TEXT)))
OTHER = Document("farm", "Pigs like mud.")
INDEXED = Corpus([FIRST, SECOND, OTHER])


def asked(*evidence: str, gold: tuple[str, ...] = ("pets",), reference: str = "") -> Sample:
    return Sample(question="What of the pets?", gold=gold, reference=reference, metadata={"evidence": evidence})


def hits(*documents: Document) -> list[Hit]:
    return [Hit(document, 1.0) for document in documents]


def test_a_whole_document_is_put_together_from_its_passages() -> None:
    whole = INDEXED.whole("pets")
    assert whole is not None
    assert whole.text == TEXT


def test_headings_in_front_of_passages_are_no_part_of_the_document() -> None:
    text = "# Cats\n\nThey sleep all day.\n\n# Dogs\n\nThey bark at the moon."
    passages = Markdown(64, with_headings=True).chunk(Document("pets", text))
    assert passages[1].text.startswith("Dogs\n\n# Dogs")
    whole = Corpus(passages).whole("pets")
    assert whole is not None
    assert whole.text.split() == text.split()


def test_a_document_without_spans_is_not_made_up() -> None:
    assert Corpus([Document("a#0", "text", parent="a")]).whole("a") is None


def test_the_documents_of_retrievers_in_retrievers_are_found() -> None:
    inner = BM25().index([FIRST, SECOND])
    for retriever in (inner, Filtered(inner, lambda _: True), Hybrid([inner])):
        pipeline = Pipeline(model=FakeModel(), prompt=Direct(), retriever=retriever)
        assert [document.id for document in Corpus.of(pipeline, None).indexed] == ["pets#0", "pets#1"]


def test_evidence_is_given_with_the_passage_that_holds_it() -> None:
    (needed,) = needed_of(asked("dogs  bark at\nthe moon"), INDEXED, 100)
    assert needed.document == SECOND
    assert needed.whole


def test_evidence_that_no_passage_holds_is_cut_by_chunking_and_given_from_the_whole() -> None:
    (needed,) = needed_of(asked("fifteen hours a day. Dogs bark"), INDEXED, 100)
    assert not needed.whole
    assert "fifteen hours a day. Dogs bark" in needed.document.text
    assert locate([needed], [FIRST], hits(FIRST)).place == "cut by chunking"


def test_a_long_document_is_cut_to_the_budget_around_the_evidence() -> None:
    filler = "word after word after word. " * 200
    long = Corpus([Document("long", f"{filler}The needle is here. {filler}")])
    (needed,) = needed_of(asked("The needle is here.", gold=("long",)), long, 60)
    assert "The needle is here." in needed.document.text
    assert len(needed.document.text) < 600


def test_without_evidence_the_passage_with_the_reference_s_words_is_needed() -> None:
    (needed,) = needed_of(asked(reference="at the moon"), INDEXED, 100)
    assert needed.document == SECOND


def test_documents_that_repeat_each_other_are_not_all_needed() -> None:
    corpus = Corpus([Document("a", "Cats sleep fifteen hours."), Document("b", "Fifteen hours cats sleep.")])
    assert len(needed_of(asked(gold=("a", "b"), reference="fifteen hours"), corpus, 100)) == 1


def test_documents_that_each_hold_a_part_are_all_needed() -> None:
    corpus = Corpus([Document("a", "Cats sleep long."), Document("b", "Dogs bark loudly.")])
    assert len(needed_of(asked(gold=("a", "b"), reference="Cats sleep and dogs bark."), corpus, 100)) == 2


def test_neighbours_that_are_only_together_enough_were_cut_apart() -> None:
    needed = needed_of(asked(reference="fifteen hours; bark at the moon"), INDEXED, 100)
    assert [each.whole for each in needed] == [False, False]
    assert {each.document.text for each in needed} == {TEXT}


def test_a_gold_document_that_the_index_lacks_is_missing() -> None:
    corpus = Corpus([OTHER], [WHOLE])
    needed = needed_of(asked(reference="at the moon"), corpus, 100)
    assert locate(needed, [], hits(OTHER)).place == "missing from corpus"
    assert needed[0].document.text


def test_places_are_told_in_the_order_in_which_passages_get_lost() -> None:
    needed = needed_of(asked("Dogs bark at the moon."), INDEXED, 100)
    assert locate(needed, [SECOND], hits(SECOND)).place == "in the prompt"
    assert locate(needed, [FIRST], hits(FIRST, OTHER, SECOND)).rank == 3
    assert locate(needed, [FIRST], hits(FIRST, OTHER, SECOND)).place == "ranked below k"
    assert locate(needed, [FIRST], hits(FIRST)).place == "not fetched"
    assert locate(needed, [], None).place == "not fetched"
    assert locate([], [FIRST], hits(FIRST)).place == "unknown"


def test_an_index_that_does_not_say_what_it_holds_leaves_the_place_open() -> None:
    needed = needed_of(asked("Dogs bark at the moon."), Corpus([], [WHOLE]), 100)
    assert locate(needed, [FIRST], hits(FIRST)).place == "lost"


def test_a_passage_with_the_reference_s_words_stands_in_for_an_unnamed_one() -> None:
    found = StandIns(INDEXED)
    sample = Sample(question="What do dogs do at night?", reference="They bark at the moon.")
    assert [each.document for each in found.of(sample, 100)] == [SECOND]
    assert found.of(Sample(question="What is gravity?", reference="A force of masses."), 100) == []
    assert found.of(Sample(question="What is gravity?"), 100) == []


def test_a_gold_document_that_is_lacking_counts_where_the_others_do_not_hold_the_reference() -> None:
    alone = needed_of(asked(gold=("pets", "zoo"), reference="at the moon"), INDEXED, 100)
    assert [each.known for each in alone] == [True]
    both = needed_of(asked(gold=("pets", "zoo"), reference="at the moon the lions roar"), INDEXED, 100)
    assert [each.known for each in both] == [True, False]
    assert locate(both, [SECOND], hits(SECOND)).place == "missing from corpus"


def test_evidence_that_stands_nowhere_in_its_document_is_missing_not_cut() -> None:
    (needed,) = needed_of(asked("Lions roar at noon."), INDEXED, 100)
    assert locate([needed], [FIRST], hits(FIRST)).place == "missing from corpus"
    assert needed.document.text == "Lions roar at noon."
