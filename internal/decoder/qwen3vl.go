package decoder

import (
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// qwen3VL are the fields of Qwen3-VL's language model (Bai et al., 2025): Qwen3
// whose rotary embedding interleaves three axes.
type qwen3VL struct {
	common
	AttentionBias bool `json:"attention_bias"`
}

func newQwen3VL() family { return &qwen3VL{common: qwen3Common(5e6)} }

func (f *qwen3VL) config() (Config, error) {
	c, err := f.qwen3(f.AttentionBias)
	if err != nil {
		return c, err
	}
	none := func(int) bool { return false }
	return c, errors.Join(f.tiedAlike(), f.windowsByRule(&c, nil, none), f.mrope(&c))
}

// mrope reads the rotary embedding. Its axes are interleaved whether or not the
// configuration says so.
func (f *qwen3VL) mrope(c *Config) error {
	var fields struct {
		rope
		Sections    []int `json:"mrope_section"`
		Interleaved *bool `json:"mrope_interleaved"`
	}
	err := f.rotaryTo(c, &fields)
	c.Interleaved, c.Sections = true, fields.Sections
	if c.Sections == nil {
		c.Sections = []int{24, 20, 20}
	}
	return errors.Join(err, hf.EqualIfGiven("mrope_interleaved", fields.Interleaved, "what the model computes", true))
}
