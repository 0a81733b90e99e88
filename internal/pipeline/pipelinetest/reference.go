// Package pipelinetest compares image generators with what diffusers, peft and the
// paper's code computed. It holds what the tests of all of them do alike: sampling
// step by step, adapters, trainings, the same trainings by Distill, and spoilt
// checkpoints. Which keys of a fixture there are besides, and how near they
// must be, is up to each generator's own tests.
package pipelinetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// Generator is what all generators of diffusers' pipelines are.
type Generator interface {
	dualprocess.Generator
	dualprocess.Leveler
	dualprocess.Presetter
	dualprocess.Releaser
}

// Reference is a fixture: what diffusers, peft and the paper's code computed.
type Reference struct {
	*golden.Fixture
	About   About
	Runtime *backends.Runtime

	// Tolerances of the fixtures' README, relative to the largest element.
	Tolerance         float64 // of outputs
	GradientTolerance float64

	Trimmed bool // the project's own copy is without some pictures
	Extends bool // its adapters have more targets than the generator suggests

	// Kinks says that the network has activations whose slope jumps at 0. Where one is
	// nearly 0 there, rounding decides between two gradients, PyTorch's as well.
	Kinks bool

	State State // what the generator's latents are to the fixture's

	decode *model.Exec // of Picture
	part   golden.Part // that is compared
	long   []string    // beginnings of the keys that only one backend compares
}

// About is what the tests need of golden.json.
type About struct {
	Prompt string
	Spec   struct {
		Family        string
		Height, Width int
		Steps, Rank   int
		Seq           int
		Guidance      float64
		TrainGuidance float64  `json:"train_guidance"`
		TrainSteps    []int    `json:"train_i"`
		Train4Steps   []int    `json:"train4_i"`
		Targets       []string `json:"targets"`
		LearningRate  float64  `json:"lr"`
		Prompts       map[string]string
		Size2         [2]int
	}
	Lora struct {
		Alpha   float64 `json:"lora_alpha"`
		Modules []string
	}
	LossScale float64 `json:"toy_loss_scale_training"`
}

// State says how a generator's latents, clean estimates and predictions differ from the
// fixture's. The zero value says that they don't.
type State struct {
	Start func(t *testing.T, key string, steps int) *tensors.Tensor // noise by its key, as a generator of so many steps wants it
	Part  func(x *tensors.Tensor) []float32                         // what the fixture has, too
	Scale float32                                                   // what the fixture has, over that; 0 = 1
}

// start returns noise by its key.
func (r *Reference) start(t *testing.T, key string, steps int) *tensors.Tensor {
	if r.State.Start == nil {
		return r.Tensor(t, key)
	}
	return r.State.Start(t, key, steps)
}

// piece returns what the fixture has of latents or of their gradient, too.
func (r *Reference) piece(x *tensors.Tensor) []float32 {
	if r.State.Part == nil {
		return tensors.MustCopyFlatData[float32](x)
	}
	return r.State.Part(x)
}

// Shown returns latents, clean estimates or predictions as the fixture has them.
func (r *Reference) Shown(x *tensors.Tensor) []float32 {
	values := r.piece(x)
	if r.State.Scale != 0 {
		for k := range values {
			values[k] *= r.State.Scale
		}
	}
	return values
}

// Find returns the fixtures of a family of models, of which there is at least one.
// (The tests of package generator see to it that every family is compared.)
func Find(t testing.TB, family string) []*Reference {
	t.Helper()
	var found []*Reference
	for _, f := range golden.Fixtures(t, golden.Generator) {
		r := &Reference{Fixture: f}
		if f.Decode(t, &r.About); r.About.Spec.Family == family {
			found = append(found, r)
		}
	}
	require.NotEmpty(t, found, "no fixture of %s", family)
	return found
}

// Golden compares what the fixtures of a family hold, group by group, as
// golden.Backends says. The essence is compared for the first of them: the graphs of the
// others differ in numbers, and each would be compiled anew.
func Golden(t *testing.T, family string, groups func(r *Reference) []Group) {
	golden.Backends(t, func(t *testing.T, rt *backends.Runtime, part golden.Part) {
		first := true
		each(t, rt, family, func(r *Reference) []Group {
			r.part = part
			switch {
			case first:
				first = false
			case part == golden.Most:
				r.part = golden.Everything
			case part == golden.Essence:
				return nil
			}
			all := groups(r)
			for _, g := range all {
				if g.Long {
					r.long = append(r.long, g.Name+".")
				}
			}
			return slices.DeleteFunc(all, func(g Group) bool { return !g.belongs(r.part) })
		})
	})
}

// Group is a test of the keys that begin with a name.
type Group struct {
	Name      string
	Test      func(*testing.T)
	Essential bool // for the fastest backend, too
	Long      bool // for pure Go only where there is no other
}

func (g Group) belongs(part golden.Part) bool {
	if g.Long && testing.Short() {
		return false
	}
	return part == golden.Everything || part == golden.Essence && g.Essential || part == golden.Most && !g.Long
}

// each runs the groups of every fixture of a family in subtests of their names.
func each(t *testing.T, rt *backends.Runtime, family string, groups func(r *Reference) []Group) {
	for _, r := range Find(t, family) {
		r.Runtime = rt
		t.Run(r.Name, func(t *testing.T) {
			defer r.finalize()
			for _, group := range groups(r) {
				t.Run(group.Name, group.Test)
			}
		})
	}
}

// finalize frees what was compiled for all generators of the fixture.
func (r *Reference) finalize() {
	if r.decode != nil {
		r.decode.Finalize()
	}
}

// Covered fails for keys that no test asked for, but for those with one of the
// given beginnings.
func (r *Reference) Covered(t *testing.T, elsewhere ...string) {
	if r.part == golden.Most || testing.Short() {
		elsewhere = append(elsewhere, r.long...)
	}
	for _, key := range r.Unread() {
		known := slices.ContainsFunc(elsewhere, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		require.True(t, known, "nobody compares %s", key)
	}
}

// HasAny says whether the fixture has keys with a prefix.
func (r *Reference) HasAny(prefix string) bool {
	return slices.ContainsFunc(r.Keys(), func(key string) bool { return strings.HasPrefix(key, prefix) })
}

// comparePicture compares a picture that a trimmed fixture may be without.
func (r *Reference) comparePicture(t *testing.T, key string, picture []float32) {
	if !r.Trimmed || r.Has(key) {
		r.Compare(t, key, picture, r.Tolerance)
	}
}

// Flatten lists the inputs of a graph: what is in lists, and everything else.
func Flatten(inputs ...any) []any {
	var flat []any
	for _, in := range inputs {
		switch in := in.(type) {
		case []any:
			flat = append(flat, Flatten(in...)...)
		case dualprocess.Inputs:
			flat = append(flat, Flatten([]*tensors.Tensor(in))...)
		case []*tensors.Tensor:
			for _, x := range in {
				flat = append(flat, x)
			}
		default:
			flat = append(flat, in)
		}
	}
	return flat
}

// ChannelsFirst returns the elements of [B, H, W, C] in the order of [B, C, H, W],
// and those of other tensors as they are.
func ChannelsFirst(x *tensors.Tensor) []float32 {
	values, d := tensors.MustCopyFlatData[float32](x), x.Shape().Dimensions
	if len(d) != 4 {
		return values
	}
	out, picture := make([]float32, 0, len(values)), d[1]*d[2]*d[3]
	for b := range d[0] {
		for c := range d[3] {
			for i := c; i < picture; i += d[3] {
				out = append(out, values[b*picture+i])
			}
		}
	}
	return out
}
