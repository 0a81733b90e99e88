package dualprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// identity is what makes two calls the same: the fields that decide about the
// result, each in words or as the digest of its numbers.
type identity []field

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// longestValue is that of a field kept in words, in bytes.
const longestValue = 1000

// is adds a field.
func (id *identity) is(name string, value any) {
	text, err := json.Marshal(value)
	if err != nil { // a number that is not finite
		text = fmt.Append(nil, value)
	}
	if len(text) > longestValue {
		text = fmt.Appendf(nil, "%s… with the sha256 %x", text[:longestValue/10], sha256.Sum256(text))
	}
	*id = append(*id, field{name, string(text)})
}

// differs returns an error that names the first field that another identity has
// otherwise.
func (id identity) differs(other identity) error {
	for k, f := range id {
		if k >= len(other) || other[k].Name != f.Name {
			return fmt.Errorf("%w: it does not know %s: another version of this library made it", ErrCheckpoint, f.Name)
		}
		if other[k].Value != f.Value {
			return fmt.Errorf("%w: %s is %s, that of the checkpoint is %s",
				ErrCheckpoint, f.Name, quote.Short(f.Value), quote.Short(other[k].Value))
		}
	}
	if len(other) > len(id) {
		return fmt.Errorf("%w: this version does not know its %s", ErrCheckpoint, other[len(id)].Name)
	}
	return nil
}

// digest collects numbers.
type digest struct{ hash.Hash }

func newDigest() digest { return digest{sha256.New()} }

// tensors adds shapes and numbers.
func (d digest) tensors(all ...*tensors.Tensor) error {
	for _, t := range all {
		fmt.Fprintln(d, t.Shape()) // a hash never fails
		if err := t.ConstBytes(func(data []byte) { d.Write(data) }); err != nil {
			return err
		}
	}
	return nil
}

func (d digest) String() string { return hex.EncodeToString(d.Sum(nil)) }

// identify adds what is asked, and how it is seen, for the verifier's own tokens
// and pictures.
func (e *exam) identify(id *identity) error {
	identifyQuestions(id, e.questions)
	d := newDigest()
	for _, in := range e.prepared {
		if err := d.tensors(in...); err != nil {
			return err
		}
	}
	id.is("Verifier", []any{fmt.Sprintf("%T", e.verifier), d.String()})
	return identifyViews(id, e.views)
}

func identifyQuestions(id *identity, questions []Question) {
	for k, q := range questions {
		id.is(fmt.Sprintf("Questions[%d]", k), []any{q.Prompt(), q.Answer, q.weight(), q.Prompts})
	}
}

func identifyViews(id *identity, views []view) error {
	for _, v := range views {
		d := newDigest()
		if err := d.tensors(v.prepared...); err != nil {
			return err
		}
		id.is(fmt.Sprintf("Overlay of Questions[%d]", v.questions[0]), []any{fmt.Sprintf("%T", v.overlay), v.questions, d.String()})
	}
	return nil
}

// digest stands for encoded prompts, from one number up to another.
func (c *conditions) digest(from, to int) (string, error) {
	d := newDigest()
	for _, in := range c.prompts[from:to] {
		if err := d.tensors(in...); err != nil {
			return "", err
		}
	}
	return d.String(), nil
}

// identify returns what makes a task the same. Weights are not read through: of two
// models with equal layers and tokens but other weights, it knows by the encoded
// prompts alone.
func (d *distiller) identify(p *plan) (id identity, err error) {
	t, g := &d.Task, d.Generator
	learning, err := d.conditions.digest(0, len(t.Prompts))
	if err != nil {
		return nil, err
	}
	preserved, err := d.conditions.digest(len(t.Prompts), len(t.Prompts)+len(t.Preserve.Prompts))
	if err != nil {
		return nil, err
	}
	start := newDigest()
	if err := start.tensors(t.Start.Params()...); err != nil {
		return nil, err
	}
	id.is("Runtime", []any{t.Runtime.Name, t.Runtime.DType.String()})
	id.is("Prompts", t.Prompts)
	id.is("Generator", []any{fmt.Sprintf("%T", g), g.Steps(), p.latents.String(), p.height, p.width, p.layers, learning})
	if err := d.exam.identify(&id); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name  string
		value any
	}{
		{"Adapter", []any{d.adapter.Form(), t.Adapter.Seed, t.Adapter.Init}}, {"Start", start.String()}, {"Weight", t.Weight},
		{"LearningRate", t.LearningRate}, {"WarmUp", t.WarmUp}, {"Decay", []any{t.Decay, t.DecayTo}},
		{"Updates", t.Updates}, {"Batch", t.Batch}, {"Accumulate", t.Accumulate},
		{"Clip", t.Clip}, {"Beta1", t.Beta1}, {"Beta2", t.Beta2}, {"Epsilon", t.Epsilon}, {"WeightDecay", t.WeightDecay},
		{"Seeds", t.Seeds}, {"SeedOrder", t.SeedOrder}, {"Timesteps", []any{t.Timesteps, t.FirstStep, t.EndStep}},
		{"Drift", t.Drift}, {"Preserve", []any{t.Preserve.Prompts, t.Preserve.Weight, preserved}},
		{"StopAt", []any{t.StopAt.P, t.StopAt.Window, t.StopAt.Seeds, t.StopAt.Every}}, {"Seed", t.Seed},
	} {
		id.is(f.name, f.value)
	}
	err = d.identifyLater(&id)
	return id, err
}

// identifyLater adds what tasks did not have at first. It stands behind the rest, so that
// an older checkpoint's error names what that does not know.
func (d *distiller) identifyLater(id *identity) error {
	t := &d.Task
	id.is("Unroll", t.Unroll)
	id.is("StepWeights", t.StepWeights)
	id.is("Anchor", []any{t.Anchor.Weight, t.Anchor.Every})
	id.is("Against", against(t.Questions))
	id.is("StopAt.Hacking", t.StopAt.Hacking)
	id.is("Bounds", t.Bounds)
	var judge identity
	if d.rater != nil {
		if err := d.rater.identify(&judge); err != nil {
			return err
		}
	}
	id.is("Judge", []any{judge, t.Judge.Gap})
	id.is("Split", t.Split)
	return nil
}

// against are the answers that those of questions are held against, and their weights.
func against(questions []Question) []any {
	var all []any
	for _, q := range questions {
		all = append(all, q.Against, q.againstWeight())
	}
	return all
}
