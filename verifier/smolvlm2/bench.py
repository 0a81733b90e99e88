"""SmolVLM2 in PyTorch, for internal/bench."""

from verifiers import Verifier


class Model(Verifier):
    processing = {"do_image_splitting": False}  # as without Options.Split
