// Package lora holds low-rank adapters (Hu et al., 2022): small matrices A and
// B beside the frozen layers of a generator, which change a layer's output from
// y to
//
//	y + weight · alpha/rank · B·(A·x)
//
// An adapter has two sides. [Adapter] is the one on the host: numbers, files,
// merging. It never changes; whatever alters it returns another one, so a failed
// update cannot damage what was trained. [Delta] is the one in a graph: a
// generator passes every layer that can be adapted through it,
//
//	y = d.Linear("blocks.0.attn.to_q", x, y)
//
// and a nil Delta is the base model. The adapter's numbers and the weight enter
// a graph as inputs, so one compilation serves every adapter of the same shape
// and every weight, 0 included. [Adapter.BatchDelta] does so for a batch of pictures
// whose adapters differ.
//
// Which layers a generator has is learnt by building its graph once with the
// Delta of a [Recorder], as dualprocess.Layers does; [New] then chooses among them.
//
// # Precision
//
// A and B are float32 and so is the low-rank product; it is cast to the dtype of
// y at the addition. (The paper's reference keeps A and B in bfloat16, where at
// its learning rate most steps of A are below half a unit in the last place and
// are lost.)
//
// # Files
//
// [Load] knows the namings that people's files have by the names themselves, and needs
// the generator's layers for all but the first three: names without dots, and fused
// layers such as attn.qkv, mean nothing without them.
//
//	naming                   names                                   read  written  compared with
//	diffusers                transformer.… .lora_A.weight            yes   yes      diffusers: pictures
//	diffusers before PEFT    unet.… .lora.down.weight, and           yes   no       diffusers: pictures, and of
//	                         ….processor.to_q_lora.down.weight                      the second numbers
//	PEFT                     base_model.model.… .lora_A.weight       yes   no       PEFT's source: scales
//	                         and adapter_config.json
//	kohya, Stable Diffusion  lora_unet_down_blocks_… .lora_down      yes   yes      diffusers: pictures
//	kohya, FLUX.1            lora_unet_double_blocks_…               yes   yes      diffusers: pictures (applied
//	                                                                                by hand) and numbers
//	kohya, FLUX.2            the same                                yes   yes      diffusers: pictures, and numbers
//	LyCORIS' LoCon           as kohya, or lycoris_…; convolutions    yes   in two   diffusers: pictures; in three:
//	                         in two or in three (lora_mid)                          ComfyUI's source
//	ComfyUI, ai-toolkit      diffusion_model.double_blocks.… and     yes   yes      ComfyUI's key map; of FLUX.2
//	                         ….input_blocks.…, A and B or up and down               diffusers: pictures, and numbers
//	ComfyUI, Z-Image         diffusion_model.layers.…attention.to_q  yes   yes      diffusers: pictures; ComfyUI's
//	                         and, as published, ….attention.qkv      yes   no       key map
//	kohya, Z-Image           lora_unet_layers_0_attention_to_q       yes   yes      diffusers: pictures; ComfyUI
//	                                                                                reads of kohya's only ….qkv
//	xlabs                    double_blocks.0.processor.qkv_lora1.…   yes   no       diffusers: numbers
//	OneTrainer               lora_transformer_… and                  yes   no       OneTrainer's source: names
//	                         transformer.double_blocks.…qkv.0
//
// The versions are diffusers 0.42, PEFT 0.21 and ComfyUI 0.26.
//
// Of a fused layer's adapter from elsewhere each of our layers gets all of A and its
// rows of B. What is not a plain low-rank adapter is refused by its name: DoRA,
// biases, full differences, LoHa, LoKr, PEFT's beginnings that change the layers' own
// weights (PiSSA, OLoRA, CorDA, EVA), and every field of a LoraConfig that would
// change the result or is not known. Tensors of text encoders are passed over and
// reported by [Adapter.Skipped].
//
// diffusers looks for the adapter of a network under its place in the pipeline: the
// names in a file begin with "transformer." or "unet.", and others are passed over
// without a word. So an adapter knows its prefix, from the generator or from the file
// that it was loaded from, and [Adapter.Save] needs no telling.
//
// # Scale
//
// rank 16 and alpha 8 are PEFT's and the paper's defaults, and the paper trains
// and samples at weight 5: effectively 5·8/16 = 2.5. Loaders elsewhere know
// alpha but not our weight, so [Adapter.Save] multiplies it into the alpha of
// the file: at scale 1 there, the adapter does what it does here at the weight
// it was trained at.
package lora

import (
	"errors"
	"fmt"
)

var (
	// ErrConfig is wrapped by errors about a Config, SaveOptions or merging
	// weights, and by that about a target that matches no layer.
	ErrConfig = errors.New("invalid adapter settings")
	// ErrMismatch is wrapped by errors about an adapter that does not fit: the
	// layers of a generator, the parameters given, or another adapter.
	ErrMismatch = errors.New("adapter does not fit")
	// ErrFormat is wrapped by errors about a file that is a sound safetensors
	// file but not an adapter that this package understands.
	ErrFormat = errors.New("not an adapter file")
	// ErrNotFinite is wrapped by errors about numbers that are NaN or infinite.
	ErrNotFinite = errors.New("not finite")
)

// errNil is for the methods of a nil Adapter that need one.
var errNil = fmt.Errorf("%w: the adapter is nil", ErrConfig)
