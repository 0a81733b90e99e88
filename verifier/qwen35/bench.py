"""Qwen3.5 in PyTorch, for internal/bench."""

from verifiers import Verifier


class Model(Verifier):
    kinds = "mm_token_type_ids"
