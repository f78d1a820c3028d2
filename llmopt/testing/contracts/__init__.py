"""Contract suites: subclass one as `TestMine`, define `make`, and pytest runs every check against your component.

They need pytest. A check that your component cannot pass for a good reason may be overridden as an
expected failure that gives the reason, never deleted:

    @pytest.mark.xfail(reason="the service ranks anew on every call", strict=True)
    def test_asking_twice_gives_the_same(self) -> None: ...
"""

from .chunkers import ChunkerContract
from .classifiers import ClassifierContract
from .components import ComponentContract
from .embedders import EmbedderContract
from .finetune import FineTuneJobContract
from .judges import JudgeContract
from .metrics import MetricContract
from .models import ChatModelContract
from .prompts import PromptStrategyContract
from .rerankers import RerankerContract
from .retrievers import IndexedRetrieverContract, RetrieverContract

__all__ = [
    "ChatModelContract",
    "ChunkerContract",
    "ClassifierContract",
    "ComponentContract",
    "EmbedderContract",
    "FineTuneJobContract",
    "IndexedRetrieverContract",
    "JudgeContract",
    "MetricContract",
    "PromptStrategyContract",
    "RerankerContract",
    "RetrieverContract",
]
