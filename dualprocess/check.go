package dualprocess

import (
	"context"
	"fmt"
	"image"
	"reflect"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// The functions below find what a caller got wrong before any work is done. Their
// errors wrap ErrTask and name the field.

func checkContext(ctx context.Context) error {
	if ctx == nil {
		return invalid("Context", "must not be nil")
	}
	return nil
}

func checkRuntime(rt *backends.Runtime) error {
	if rt == nil || rt.Backend == nil || rt.Store == nil {
		return invalid("Runtime", "must be an open runtime")
	}
	if rt.Backend.IsFinalized() {
		return invalidBecause("Runtime", backends.ErrClosed)
	}
	return nil
}

// hold keeps runtimes that compute open until done is called.
func hold(rts ...*backends.Runtime) (done func(), err error) {
	for _, rt := range rts {
		if rt.Sketched() {
			return nil, invalidBecause("Runtime", backends.ErrSketch)
		}
	}
	return keep(rts...)
}

// keep keeps runtimes open until done is called.
func keep(rts ...*backends.Runtime) (done func(), err error) {
	var kept []func()
	done = func() {
		for _, let := range kept {
			let()
		}
	}
	for _, rt := range rts {
		let, err := rt.Use()
		if err != nil {
			done()
			return nil, invalidBecause("Runtime", err)
		}
		kept = append(kept, let)
	}
	return done, nil
}

// checkModel checks a generator or a verifier.
func checkModel(field string, rt *backends.Runtime, model any) error {
	if isNil(model) {
		return invalid(field, "must be given%s", ofType(model))
	}
	if r, ok := model.(Runtimer); ok && r.Runtime() != rt {
		return invalid(field, "the %T was opened with another runtime", model)
	}
	return nil
}

// checkVerifier checks a verifier, which may have a runtime of its own where it looks at
// finished pictures.
func checkVerifier(field string, rt *backends.Runtime, v Verifier) error {
	if isNil(v) {
		return checkModel(field, rt, v)
	}
	own := runtimeOf(v, rt)
	if own == rt {
		return nil
	}
	if err := checkRuntime(own); err != nil {
		return invalidBecause(field, err)
	}
	return nil
}

// checkVerifier checks the verifier, whose gradient has to reach the generator.
func (t *Task) checkVerifier() error {
	if !t.Split && !isNil(t.Verifier) && runtimeOf(t.Verifier, t.Runtime) != t.Runtime {
		return invalid("Verifier", "the %T was opened with another runtime; that needs Split", t.Verifier)
	}
	return checkVerifier("Verifier", t.Runtime, t.Verifier)
}

// runtimeOf is the runtime that a model was opened with, as far as it tells; else the
// other.
func runtimeOf(model any, other *backends.Runtime) *backends.Runtime {
	if r, ok := model.(Runtimer); ok && r.Runtime() != nil {
		return r.Runtime()
	}
	return other
}

// isNil tells whether a value is nil, or a nil pointer or function within an
// interface.
func isNil(x any) bool {
	if x == nil {
		return true
	}
	v := reflect.ValueOf(x)
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}

// ofType tells what a nil that is not plain nil is.
func ofType(x any) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf(", it is a nil %T", x)
}

func checkPrompts(field string, prompts []string) error {
	if len(prompts) == 0 {
		return invalid(field, "at least one is needed")
	}
	return nil
}

// checkQuestions checks questions, in a field, that are asked about pictures of some
// prompts, each of which must have one.
func checkQuestions(field string, questions []Question, prompts ...string) error {
	if len(questions) == 0 {
		return invalid(field, "at least one is needed")
	}
	for k, q := range questions {
		if err := q.check(fmt.Sprintf("%s[%d]", field, k), prompts); err != nil {
			return err
		}
	}
	for j, prompt := range prompts {
		if !slices.ContainsFunc(questions, func(q Question) bool { return q.isFor(prompt) }) {
			return invalid(fmt.Sprintf("Prompts[%d]", j), "no question is for %s", quote.Short(prompt))
		}
	}
	return nil
}

func (q Question) check(field string, prompts []string) error {
	switch {
	case q.Text == "":
		return invalid(field+".Text", "must not be empty")
	case q.Answer == "":
		return invalid(field+".Answer", "must not be empty")
	case q.Bare && q.Suffix != "":
		return invalid(field+".Suffix", "a bare question has none")
	case q.Against == q.Answer:
		return invalid(field+".Against", "is the wanted answer, too")
	case q.AgainstWeight != 0 && q.Against == "":
		return invalid(field+".AgainstWeight", "is of an answer, and Against names none")
	case !(q.againstWeight() > 0 && q.againstWeight() <= 1):
		return invalid(field+".AgainstWeight", "%g is not in (0, 1]", q.AgainstWeight)
	}
	for j, prompt := range q.Prompts {
		if !slices.Contains(prompts, prompt) {
			return invalid(fmt.Sprintf("%s.Prompts[%d]", field, j), "%s is none of the task's prompts", quote.Short(prompt))
		}
	}
	return firstError(inRange(field+".Weight", q.weight(), 1/mostWeight, mostWeight), checkOverlay(field+".Overlay", q.Overlay))
}

// mostWeight of a question: every ratio of weights still has a place among float32
// numbers.
const mostWeight = 1e18

func checkOverlay(field string, o Overlay) error {
	switch {
	case o == nil:
		return nil
	case isNil(o):
		return invalid(field, "is a nil %T", o)
	}
	if v, ok := o.(Validator); ok {
		return invalidBecause(field, v.Validate())
	}
	return nil
}

// mostSide bounds the sides of pictures in pixels; overlays and verifiers stop far
// below it.
const mostSide = 1 << 15

// checkImages checks pictures that are to be rated together.
func checkImages(images []image.Image) error {
	if len(images) == 0 {
		return invalid("Images", "at least one is needed")
	}
	for k, img := range images {
		field := fmt.Sprintf("Images[%d]", k)
		if isNil(img) {
			return invalid(field, "must not be nil")
		}
		size, first := img.Bounds().Size(), images[0].Bounds().Size()
		switch {
		case img.Bounds().Empty():
			return invalid(field, "has no pixels")
		case size.X > mostSide || size.Y > mostSide:
			return invalid(field, "is %v pixels; no side may have more than %d", size, mostSide)
		case size != first:
			return invalid(field, "is %v and not %v as the first", size, first)
		}
	}
	return nil
}

// checkLatents checks the shape of latents that are to be denoised from step 0.
func (p *plan) checkLatents(got shapes.Shape) error {
	want := p.latents
	if got.Rank() != want.Rank() || got.DType != dtypes.Float32 || got.Dimensions[0] < 1 ||
		!slices.Equal(got.Dimensions[1:], want.Dimensions[1:]) {
		return invalid("Latents", "are %s; of one picture they are %s", got, want)
	}
	return nil
}
