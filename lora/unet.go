package lora

import (
	"fmt"
	"regexp"
	"strconv"
)

// unetBlocks splits the name of a layer in a stage of diffusers' U-Net.
var unetBlocks = regexp.MustCompile(`^(down_blocks\.(\d{1,3})|mid_block|up_blocks\.(\d{1,3}))\.(resnets|attentions|downsamplers|upsamplers)\.(\d{1,3})\.(.+)$`)

// unetResidual are the layers in a residual block, unetRest those around the stages.
var (
	unetResidual = map[string]string{
		"conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
	}
	unetRest = map[string]string{
		"conv_in": "input_blocks.0.0", "conv_out": "out.2",
		"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
	}
)

// unetShape is what the published names depend on.
type unetShape struct {
	residuals int          // blocks of a stage on the way down; on the way up there is one more
	attention map[int]bool // stages on the way up that attend
}

// unetPublished lists the layers of Stable Diffusion's U-Net as CompVis published
// it; none if the layers are not such a U-Net's. The stages are in one row there:
// each is its blocks, the one that makes the picture smaller counted with them, and
// the one that makes it larger put into the last block.
func unetPublished(layers []Layer) []fused {
	shape := unetShape{attention: map[int]bool{}}
	for _, l := range layers {
		m := unetBlocks.FindStringSubmatch(l.Name)
		switch {
		case m == nil:
		case m[2] != "" && m[4] == "resnets":
			shape.residuals = max(shape.residuals, number(m[5])+1)
		case m[3] != "" && m[4] == "attentions":
			shape.attention[number(m[3])] = true
		}
	}
	if shape.residuals == 0 {
		return nil
	}
	var list []fused
	for _, l := range layers {
		if name := shape.name(l.Name); name != "" {
			list = append(list, alone(name, l))
		}
	}
	return list
}

// number is for digits that a regular expression found.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// name returns the published name of one layer, "" if it has none.
func (s unetShape) name(ours string) string {
	m := unetBlocks.FindStringSubmatch(ours)
	if m == nil {
		return unetRest[ours]
	}
	kind, index, rest := m[4], number(m[5]), m[6]
	if kind == "resnets" {
		if rest = unetResidual[rest]; rest == "" {
			return ""
		}
	}
	block, place := "middle_block", map[string]int{"resnets": 2 * index, "attentions": 1}[kind]
	switch {
	case m[2] != "":
		block = fmt.Sprintf("input_blocks.%d", 1+number(m[2])*(s.residuals+1)+index)
		place = map[string]int{"attentions": 1}[kind]
		if kind == "downsamplers" {
			block = fmt.Sprintf("input_blocks.%d", (number(m[2])+1)*(s.residuals+1))
			rest = "op"
		}
	case m[3] != "":
		block = fmt.Sprintf("output_blocks.%d", number(m[3])*(s.residuals+1)+index)
		place = map[string]int{"attentions": 1}[kind]
		if kind == "upsamplers" {
			block = fmt.Sprintf("output_blocks.%d", number(m[3])*(s.residuals+1)+s.residuals)
			place = 1
			if s.attention[number(m[3])] {
				place = 2
			}
		}
	}
	return fmt.Sprintf("%s.%d.%s", block, place, rest)
}
