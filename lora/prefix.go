package lora

import (
	"cmp"
	"strings"
)

// DefaultPrefix is where the transformers of diffusers' pipelines find their part
// of an adapter file.
const DefaultPrefix = "transformer"

// Other prefixes of files.
const (
	unetPrefix = "unet"             // of diffusers' U-Nets
	peftPrefix = "base_model.model" // of PEFT's own files; it names no pipeline
)

// pipelinePrefix returns the prefix for layers of which nobody has said it, as in
// files of PEFT. diffusers passes over names without its pipeline's prefix and says
// nothing, so the wrong one would make a file that does nothing. The U-Nets of
// diffusers have these blocks, and its transformers have not.
func pipelinePrefix(layers []Layer) string {
	for _, l := range layers {
		for _, block := range []string{"down_blocks.", "mid_block.", "up_blocks."} {
			if strings.HasPrefix(l.Name, block) {
				return unetPrefix
			}
		}
	}
	return DefaultPrefix
}

// prefixOr returns a prefix without the dot that some write behind it, and for none
// that of the layers.
func prefixOr(prefix string, layers []Layer) string {
	return cmp.Or(strings.TrimSuffix(prefix, "."), pipelinePrefix(layers))
}

// mended is prefixOr for a file, where that of a transformer is no prefix of a U-Net:
// diffusers passes over such a file, and so must not get it again.
func mended(prefix string, layers []Layer) string {
	if prefix = prefixOr(prefix, layers); prefix == DefaultPrefix {
		return pipelinePrefix(layers)
	}
	return prefix
}
