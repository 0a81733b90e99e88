"""Gemma 3 in PyTorch, for internal/bench."""

from verifiers import Verifier


class Model(Verifier):
    kinds = "token_type_ids"
