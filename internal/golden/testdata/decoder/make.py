"""Writes the folders beside this file: tiny language models with random weights, in
the settings that the fixtures of the verifiers leave out, and what transformers
computes with them on a batch of which one row is padded.

Run in an empty folder with torch, safetensors and transformers 5.23.
"""
import pathlib

import torch
import transformers as hf
from safetensors.torch import save_file

BASE = dict(vocab_size=40, hidden_size=32, intermediate_size=20, num_hidden_layers=4,
            num_attention_heads=4, num_key_value_heads=2)


def rope(kind="default", **more):
    return dict(rope_type=kind, **more)


KINDS = {
    "llama": hf.LlamaConfig(
        **BASE, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, head_dim=10, hidden_act="gelu",
        rope_parameters=rope("linear", factor=3.0, rope_theta=5e3)),
    "mistral": hf.MistralConfig(**BASE, sliding_window=5, head_dim=6, rope_parameters=rope(rope_theta=1e3)),
    "gemma2": hf.Gemma2Config(
        **BASE, head_dim=12, sliding_window=4, query_pre_attn_scalar=7, attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0, attention_bias=True),
    "gemma3": hf.Gemma3TextConfig(
        **BASE, head_dim=12, sliding_window=4, query_pre_attn_scalar=9, sliding_window_pattern=2,
        tie_word_embeddings=False, attention_bias=True,
        rope_parameters=dict(full_attention=rope("linear", factor=4.0, rope_theta=2e5),
                             sliding_attention=rope(rope_theta=3e3))),
    "gemma3_six": hf.Gemma3TextConfig(**{**BASE, "num_hidden_layers": 7}, head_dim=12, sliding_window=4),
    "qwen2_5": hf.Qwen2_5_VLTextConfig(
        **BASE, use_sliding_window=True, sliding_window=4, max_window_layers=2,
        rope_parameters=rope(rope_theta=1e4, mrope_section=[1, 1, 2])),
}


def make(name, config):
    config._attn_implementation = "eager"
    model = (hf.Qwen2_5_VLTextModel if name == "qwen2_5" else hf.AutoModelForCausalLM._model_mapping[type(config)])(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(name)
    ids, mask = torch.randint(0, BASE["vocab_size"], (2, 13)), torch.ones(2, 13, dtype=torch.long)
    mask[1, 9:] = 0
    given = dict(input_ids=ids, attention_mask=mask)
    if name == "qwen2_5":
        given["position_ids"] = torch.randint(0, 20, (3, 2, 13))
    with torch.no_grad():
        out = model(**given)
    given["out"] = out.last_hidden_state if name == "qwen2_5" else out.logits
    save_file(given, pathlib.Path(name) / "decoder.safetensors")


torch.manual_seed(0)
for name, config in KINDS.items():
    make(name, config)
