"""Models on this machine: no network, no key."""

from .extractive_reader import ExtractiveReader
from .latent_semantic import LatentSemantic
from .onnx_embedder import OnnxEmbedder
from .onnx_export import export_onnx
from .sentence_transformer_embedder import SentenceTransformerEmbedder

__all__ = [
    "ExtractiveReader",
    "LatentSemantic",
    "OnnxEmbedder",
    "SentenceTransformerEmbedder",
    "export_onnx",
]
