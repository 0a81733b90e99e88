"""Ministral 3 in PyTorch, for internal/bench."""

from verifiers import Verifier as Model

__all__ = ["Model"]
