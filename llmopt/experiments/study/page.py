"""The page: one HTML file with its style, its scripts and its data inside."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from ..._files import write_text
from ..._version import __version__
from .content import StudyContent
from .diagnosed import map_section, next_section
from .markup import Markup, element
from .measured import categories_section, metrics_section
from .packed import Block, blocks_of
from .tried import climb_section, cost_section
from .wording import lead

__all__ = ["write_page"]

_SCRIPTS = ("blocks.js", "list.js", "detail.js", "samples.js")


def write_page(path: Path, study: StudyContent) -> None:
    """Write the page; see `Study.to_html`.

    Raises:
        StorageError: When the file cannot be written.
    """
    style, script = _asset("page.css"), "".join(_asset(name) for name in _SCRIPTS)
    sections = {
        ("climb", "The climb" if study.decided else "The variants"): climb_section(study),
        ("map", "Where it fails"): map_section(study.diagnosis),
        ("next", "What to try next"): next_section(study.diagnosis),
        ("cost", "Quality and cost"): cost_section(study),
        ("metrics", "Metrics"): metrics_section(study),
        ("categories", "Categories"): categories_section(study),
    }
    links = [*(place for place, content in sections.items() if content), ("samples", "Samples")]
    filled = {
        "policy": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'",
        "title": element("title", {}, study.title),
        "style": style,
        "heading": element("h1", {}, study.title),
        "lead": element("p", {"class": "lead"}, lead(study)),
        "links": element("ul", {}, *(_link(id, name) for id, name in links)),
        "sections": "\n".join(sections.values()),
        "version": __version__,
        "blocks": "\n".join(map(_written, blocks_of(study))),
        "script": script,
    }
    write_text(path, _filled(_asset("page.html"), filled))


def _filled(template: str, parts: dict[str, str]) -> str:
    """Return the template with every `{{name}}` replaced, in one pass: what goes in is not looked at again."""
    found: list[str] = []
    for piece in template.split("{{"):
        name, end, rest = piece.partition("}}")
        found += [parts[name], rest] if end else [piece]
    return "".join(found)


def _link(id: str, name: str) -> Markup:
    return element("li", {}, element("a", {"href": f"#{id}"}, name))


def _written(block: Block) -> Markup:
    return element(
        "script",
        {"type": "text/plain", "id": f"data-{block.name}", "data-bytes": str(block.bytes)},
        Markup(block.content),
    )


def _asset(name: str) -> str:
    return files("llmopt.experiments.study").joinpath("assets", name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
