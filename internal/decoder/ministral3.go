package decoder

import (
	"encoding/json"
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// ministral3 are the fields of Ministral 3 (Mistral AI, 2025): those of Mistral, whose
// rotary embedding YaRN stretches and whose queries grow with their place.
type ministral3 struct{ mistral }

func newMinistral3() family {
	return &ministral3{mistral{common: common{
		Layers: 34, Hidden: 4096, Intermediate: 14336, Heads: 32, KVHeads: new(8), HeadDim: new(128), Vocabulary: 131072,
		Epsilon: 1e-5, Activation: "silu", Theta: new(1e6),
	}}}
}

func (f *ministral3) config() (Config, error) {
	if hf.Null(f.RopeScaling) && hf.Null(f.RopeParameters) { // what transformers fills in
		f.RopeParameters = json.RawMessage(`{"rope_type": "yarn", "factor": 16, "original_max_position_embeddings": 16384,
			"beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 1, "llama_4_scaling_beta": 0.1}`)
	}
	c, err := f.windowed()
	if err != nil {
		return c, err
	}
	return c, f.stretched(&c)
}

// stretched reads the rotary embedding and the growth of queries, which are in one
// object.
func (f *ministral3) stretched(c *Config) error {
	var fields struct {
		rope
		yarnFields
		Growth *float64 `json:"llama_4_scaling_beta"`
	}
	if err := errors.Join(
		f.rotaryTo(c, &fields, yarn),
		hf.Check(fields.Original != nil, "rope_parameters.original_max_position_embeddings is missing"),
		hf.Check(fields.Growth != nil, "rope_parameters.llama_4_scaling_beta is missing"),
	); err != nil {
		return err
	}
	c.QueryGrowth, c.QueryStep = *fields.Growth, *fields.Original
	if fields.kind() != yarn {
		return nil
	}
	stretch, err := fields.yarn(fields.Factor)
	c.YaRN = &stretch
	return err
}
