package decoder

import (
	"encoding/json"
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// scaling is what rope_scaling or rope_parameters hold.
type scaling struct {
	Type     *string  `json:"rope_type"`
	OldType  *string  `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Factor   *float64 `json:"factor"`
	Sections []int    `json:"mrope_section"`
	Partial  *float64 `json:"partial_rotary_factor"`
}

// rotary finds the frequencies of each layer: from rope_scaling beside rope_theta,
// or from rope_parameters, which in Gemma 3 hold an object per type of layer.
func (f *fields) rotary(c *Config) error {
	name, full, sliding, err := f.scalings()
	if err != nil {
		return err
	}
	global, err := f.scaling(name, full, f.Theta)
	if err != nil {
		return err
	}
	local := global
	if f.kind == gemma3 {
		if local, err = f.scaling(name+".sliding_attention", sliding, f.LocalTheta); err != nil {
			return err
		}
	}
	c.Sections = global.Sections
	for _, window := range c.Windows {
		s := global
		if window > 0 {
			s = local
		}
		c.Rotary = append(c.Rotary, Rotary{Theta: *s.Theta, Factor: *s.Factor})
	}
	return nil
}

// scalings finds the objects for layers that see everything and for those with a
// window, and the name of the field that holds them. Where there is but one
// object it is the former.
func (f *fields) scalings() (name string, full, sliding json.RawMessage, err error) {
	name, data := "rope_parameters", f.RopeParameters
	if given(f.RopeScaling) {
		if given(data) {
			return "", nil, nil, bad("rope_scaling and rope_parameters are both given")
		}
		name, data = "rope_scaling", f.RopeScaling
	}
	var byType map[string]json.RawMessage
	if given(data) {
		if err := json.Unmarshal(data, &byType); err != nil {
			return "", nil, nil, fmt.Errorf("%w: %s: %w", hf.ErrConfig, name, err)
		}
	}
	full, sliding = byType["full_attention"], byType["sliding_attention"]
	if f.kind != gemma3 || full == nil && sliding == nil {
		return name, data, nil, nil
	}
	return name, full, sliding, checkTypes(name, byType)
}

// checkTypes refuses what stands beside the objects per type of layer.
func checkTypes(name string, byType map[string]json.RawMessage) error {
	for kind := range byType {
		if err := hf.Require(name, kind, "full_attention", "sliding_attention"); err != nil {
			return err
		}
	}
	return nil
}

func given(data json.RawMessage) bool { return len(data) > 0 && !null(data) }

// scaling reads one object over its defaults: no scaling, and theta.
func (f *fields) scaling(name string, data json.RawMessage, theta *float64) (s scaling, err error) {
	if given(data) {
		if err := json.Unmarshal(data, &s); err != nil {
			return s, fmt.Errorf("%w: %s: %w", hf.ErrConfig, name, err)
		}
	}
	kind := "default"
	for _, k := range []*string{s.OldType, s.Type} { // the newer name goes first
		if k != nil {
			kind = *k
		}
	}
	if kind == "mrope" && f.kind == qwen2 {
		kind = "default" // that is what it means, with sections
	}
	if err := hf.Require(name+".rope_type", kind, "default", "linear"); err != nil {
		return s, err
	}
	if given(data) { // what is known of the type is known of its fields
		if err := hf.Decode(data, &s); err != nil {
			return s, fmt.Errorf("%w: %s: %w", hf.ErrConfig, name, err)
		}
	}
	if s.Theta == nil {
		s.Theta = theta
	}
	return s, f.complete(name, kind, &s)
}

// complete checks an object and fills in what the kinds imply.
func (f *fields) complete(name, kind string, s *scaling) error {
	switch {
	case s.Theta == nil:
		return bad("rope_theta is null")
	case s.Partial != nil && *s.Partial != 1:
		return bad("%s.partial_rotary_factor is %v", name, *s.Partial)
	case kind == "linear" && s.Factor == nil:
		return bad("%s.factor is missing", name)
	case kind == "default" && s.Factor != nil && *s.Factor != 1:
		return bad("%s.factor is %v, which the type default does not have", name, *s.Factor)
	case s.Sections != nil && f.kind != qwen2:
		return bad("%s.mrope_section is %v, which %s does not have", name, s.Sections, f.kind)
	case s.Sections == nil && f.kind == qwen2:
		s.Sections = []int{16, 24, 24} // what transformers 5 fills in
	}
	if s.Factor == nil {
		s.Factor = new(1.)
	}
	return nil
}
