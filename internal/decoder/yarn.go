package decoder

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// yarn is the rope_type of YaRN.
const yarn = "yarn"

// YaRN stretches a rotary embedding, for texts longer than those that a model was first
// trained on (Peng et al., 2023): frequencies that make many turns within such a text
// stay, those that make few are divided, and between them is a ramp.
type YaRN struct {
	Factor     float64 // that the slow frequencies are divided by
	Original   int     // tokens of the texts that the model was first trained on
	Fast, Slow float64 // turns within Original: more than Fast are many, fewer than Slow are few
	Attention  float64 // factor of cosines and sines
}

// yarnFields are YaRN's in rope_parameters, besides its factor.
type yarnFields struct {
	Original    *int     `json:"original_max_position_embeddings"`
	MaxTokens   any      `json:"max_position_embeddings"`
	Fast        *float64 `json:"beta_fast"`
	Slow        *float64 `json:"beta_slow"`
	Scale       *float64 `json:"mscale"`
	ScaleAllDim *float64 `json:"mscale_all_dim"`
	Attention   *float64 `json:"attention_factor"`
	Truncate    *bool    `json:"truncate"`
}

// yarn says what the fields mean.
// Source: transformers v5.0.0, modeling_rope_utils.py, _compute_yarn_parameters.
func (f yarnFields) yarn(factor *float64) (YaRN, error) {
	if factor == nil {
		return YaRN{}, hf.Errorf("rope_parameters.factor is missing")
	}
	y := YaRN{Factor: *factor, Original: value(f.Original), Fast: 32, Slow: 1}
	if value(f.Fast) != 0 {
		y.Fast = *f.Fast
	}
	if value(f.Slow) != 0 {
		y.Slow = *f.Slow
	}
	growth := func(scale float64) float64 { return 1 + 0.1*scale*math.Log(max(y.Factor, 1)) }
	switch {
	case f.Attention != nil:
		y.Attention = *f.Attention
	case value(f.Scale) != 0 && value(f.ScaleAllDim) != 0:
		y.Attention = growth(*f.Scale) / growth(*f.ScaleAllDim)
	default:
		y.Attention = growth(1)
	}
	return y, hf.Check(f.Truncate == nil || *f.Truncate, "truncate is false, supported: true")
}

// check names the first field that makes no sense for frequencies of theta.
func (y YaRN) check(theta float64) error {
	for _, field := range []struct {
		name  string
		value float64
	}{
		{"factor", y.Factor}, {"original_max_position_embeddings", float64(y.Original)}, {"beta_fast", y.Fast}, {"beta_slow", y.Slow},
		{"attention_factor, or that of mscale,", y.Attention},
	} {
		if !(field.value > 0 && field.value <= 1<<30) {
			return hf.Errorf("%s is %v in yarn, want a positive number", field.name, field.value)
		}
	}
	return hf.Check(theta > 1, "rope_theta is %v in yarn, want more than 1", theta)
}

// stretch returns the frequencies of the D/2 pairs of a head.
func (y YaRN) stretch(r Rotary, headDim int) []float32 {
	d := float64(headDim)
	// turning is the pair, as a fraction, that makes so many turns within Original tokens.
	turning := func(turns float64) float64 {
		return d * math.Log(float64(y.Original)/(2*math.Pi*turns)) / (2 * math.Log(r.Theta))
	}
	low, high := max(math.Floor(turning(y.Fast)), 0), min(math.Ceil(turning(y.Slow)), d-1)
	if low == high {
		high += 0.001
	}
	list := make([]float32, headDim/2)
	for k := range list {
		divided := min(max((float64(k)-low)/(high-low), 0), 1)
		frequency := math.Pow(r.Theta, -float64(2*k)/d)
		list[k] = float32(frequency*(1-divided) + frequency/y.Factor*divided)
	}
	return list
}
