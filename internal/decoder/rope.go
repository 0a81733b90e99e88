package decoder

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// rope is what rope_scaling or rope_parameters hold. A family that has more there
// embeds it.
type rope struct {
	Type    *string  `json:"rope_type"`
	OldType *string  `json:"type"`
	Theta   *float64 `json:"rope_theta"`
	Factor  *float64 `json:"factor"`
	Partial *float64 `json:"partial_rotary_factor"`
}

func (r *rope) own() *rope { return r }

// ropeObject returns the object that says how the rotary embedding is scaled, and
// its name: rope_scaling, beside which rope_theta stands, or the newer
// rope_parameters.
func (f *common) ropeObject() (name string, object json.RawMessage, err error) {
	if hf.Null(f.RopeScaling) {
		return "rope_parameters", f.RopeParameters, nil
	}
	return "rope_scaling", f.RopeScaling, hf.Check(hf.Null(f.RopeParameters), "rope_scaling and rope_parameters are both given")
}

// rotary gives all layers the rotary embedding that the one object describes.
func (f *common) rotary(c *Config) error { return f.rotaryTo(c, new(rope)) }

// rotaryTo is rotary for a family that has more in the object; see readRope.
func (f *common) rotaryTo(c *Config, to interface{ own() *rope }, unscaled ...string) error {
	name, object, err := f.ropeObject()
	if err != nil {
		return err
	}
	r, err := readRope(name, object, f.Theta, to, unscaled...)
	c.Rotary = slices.Repeat([]Rotary{r}, f.Layers)
	return err
}

// readRope reads an object into to, a rope or what embeds one, over its defaults:
// no scaling, and theta. unscaled are types that mean no scaling besides the usual
// one.
func readRope(name string, object json.RawMessage, theta *float64, to interface{ own() *rope }, unscaled ...string) (Rotary, error) {
	fields := map[string]json.RawMessage{}
	if !hf.Null(object) {
		if err := cmp.Or(json.Unmarshal(object, &fields), json.Unmarshal(object, to)); err != nil {
			return Rotary{}, hf.Errorf("%s: %w", name, err)
		}
	}
	kind := to.own().kind()
	// First the type: an unknown one has fields that are unknown too.
	if err := hf.Require(name+".rope_type", kind, append([]string{"default", "linear"}, unscaled...)...); err != nil {
		return Rotary{}, err
	}
	if err := hf.DecodeFields(fields, to); err != nil {
		return Rotary{}, hf.Errorf("%s: %w", name, err)
	}
	return to.own().rotary(name, theta, kind)
}

// kind is the type of scaling. The newer of its two names goes first.
func (r *rope) kind() string {
	for _, kind := range []*string{r.Type, r.OldType} {
		if kind != nil {
			return *kind
		}
	}
	return "default"
}

// rotary says what the fields mean. theta is the one beside the object.
func (r *rope) rotary(name string, theta *float64, kind string) (Rotary, error) {
	scaled := kind == "linear"
	if r.Theta != nil {
		theta = r.Theta
	}
	switch {
	case theta == nil:
		return Rotary{}, hf.Errorf("rope_theta is null")
	case r.Partial != nil && *r.Partial != 1:
		return Rotary{}, hf.Errorf("%s.partial_rotary_factor is %v, supported: 1", name, *r.Partial)
	case scaled && r.Factor == nil:
		return Rotary{}, hf.Errorf("%s.factor is missing", name)
	case scaled:
		return Rotary{Theta: *theta, Factor: *r.Factor}, nil
	case r.Factor != nil && *r.Factor != 1 && kind != yarn:
		return Rotary{}, hf.Errorf("%s.factor is %v, which the type default does not have", name, *r.Factor)
	}
	return Rotary{Theta: *theta, Factor: 1}, nil
}
