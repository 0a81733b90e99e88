package decoder

import (
	"encoding/json"
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// gemma3 are the fields of Gemma 3's language model (Gemma Team, 2025): those of
// Gemma 2, without its soft caps, and its own.
type gemma3 struct {
	gemma2
	Pattern      *int     `json:"sliding_window_pattern"`  // layers from one without a window to the next
	SavedPattern *int     `json:"_sliding_window_pattern"` // as some versions write it back
	LocalTheta   *float64 `json:"rope_local_base_freq"`    // of layers with a window
}

func newGemma3() family {
	return &gemma3{
		gemma2: gemma2{
			common: common{
				Layers: 26, Hidden: 2304, Intermediate: 9216, Heads: 8, KVHeads: new(4), HeadDim: new(256), Vocabulary: 262208,
				Epsilon: 1e-6, Theta: new(1e6),
			},
			HiddenActivation: new("gelu_pytorch_tanh"), QueryScalar: new(256.), SlidingWindow: new(4096),
		},
		LocalTheta: new(1e4),
	}
}

func (f *gemma3) config() (Config, error) {
	c, err := f.gemma()
	if err != nil {
		return c, err
	}
	c.QKNorm = true
	return c, errors.Join(
		f.tiedAlike(),
		hf.Absent("attn_logit_softcapping", f.AttentionCap),
		hf.Absent("final_logit_softcapping", f.LogitCap),
		f.patterned(&c),
		f.rotaries(&c),
	)
}

// patterned gives windows to all layers but every sixth, or as the pattern says.
func (f *gemma3) patterned(c *Config) error {
	pattern := 6
	for _, p := range []*int{f.SavedPattern, f.Pattern} {
		if p != nil {
			pattern = *p
		}
	}
	if pattern < 1 {
		return hf.Errorf("sliding_window_pattern is %d", pattern)
	}
	return f.windows(c, f.SlidingWindow, func(layer int) bool { return (layer+1)%pattern != 0 })
}

// rotaries gives layers with a window another rotary embedding than the others.
// rope_parameters may hold an object for each type of layer; a single object is
// for those without a window.
func (f *gemma3) rotaries(c *Config) error {
	name, object, err := f.ropeObject()
	if err != nil {
		return err
	}
	var byType map[string]json.RawMessage
	if !hf.Null(object) {
		if err := json.Unmarshal(object, &byType); err != nil {
			return hf.Errorf("%s: %w", name, err)
		}
	}
	globalName, localName := name, name+"."+slidingAttention
	if byType[fullAttention] != nil || byType[slidingAttention] != nil {
		for kind := range byType {
			if err := hf.Require(name, kind, fullAttention, slidingAttention); err != nil {
				return err
			}
		}
		globalName, object = name+"."+fullAttention, byType[fullAttention]
	}
	global, err := readRope(globalName, object, f.Theta, new(rope))
	if err != nil {
		return err
	}
	local, err := readRope(localName, byType[slidingAttention], f.LocalTheta, new(rope))
	for _, window := range c.Windows {
		if window > 0 {
			c.Rotary = append(c.Rotary, local)
		} else {
			c.Rotary = append(c.Rotary, global)
		}
	}
	return err
}
