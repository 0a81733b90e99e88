"""Qwen2.5-VL in PyTorch, for internal/bench."""

from verifiers import Verifier


class Model(Verifier):
    kinds = "mm_token_type_ids"
