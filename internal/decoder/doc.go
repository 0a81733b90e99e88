// Package decoder is the one causal language model that all who need one share:
// the text models of Qwen2.5-VL, Qwen3-VL, Qwen3.5 and Gemma 3, Mistral (of Idefics2,
// Pixtral and Mistral Small 3), Ministral 3, Llama (of LLaVA-1.5, Idefics3 and SmolVLM), and
// those that encode prompts: Gemma 2 (Sana's) and Qwen3 (FLUX.2 klein's and Z-Image's).
// What tells them apart are the fields of Config, which ParseConfig fills from
// the config.json of Hugging Face's transformers.
//
// The pieces, in the order of use:
//
//	cfg, err := decoder.ParseConfig(json, "vision_config", "image_token_id")
//	m := decoder.NewWithHead(c.In("model"), c.In("lm_head"), cfg)
//
//	x := m.Embed(f, ids, dtype)                               // the tokens' embeddings
//	_, past := m.Apply(f, decoder.Span{Embeds: prefix}, nil)  // once per picture
//	h, _ := m.Apply(f, decoder.Span{Embeds: x}, past)         // for each question
//	logits := m.Logits(f, h)
//
// Where what is inside encodes a text, m.States gives the hidden states behind some
// layers, and NewFirst reads no more layers than that takes.
//
// Tokens are counted by their place in the sequence, from 0, whatever positions
// the caller gives the rotary embedding: a token attends to those at places up to
// its own, in layers with a window only to the last so many of them.
//
// To generate text, make the Past of the prompt a cache of fixed length (Past.Cache)
// and hand its nodes from one execution to the next (Past.Nodes, CacheOf): the
// prompt compiles once and all further tokens once.
//
// Axis letters: B batch, S tokens of a span, T tokens attended to (before and in the
// span), N heads, K heads of keys and values, D head dimension.
//
// Functions that take nodes build graphs and panic on misuse.
package decoder
