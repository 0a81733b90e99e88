package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// The sides, in the order of their turns.
const (
	ours     = "ours"
	eager    = "eager"
	compiled = "compiled"
)

// pause lies between turns: the threads of PyTorch's OpenMP wait for work for a fifth of a second, at full speed.
const pause = 400 * time.Millisecond

// tolerance is how far the sides may be apart: in the two numbers of a run, relative to ours, and in what a run makes, where
// it makes something: of pictures the root of the mean square of all pixels' differences, of 1.
type tolerance struct{ first, second, made float64 }

// numbers are what the two numbers of a run are, what it makes, and how far the sides may be apart by the dtype of
// computation.
type numbers struct {
	first, second, made string
	tolerances          map[string]tolerance
}

// differ says which of a run's two numbers is further from ours than it may be.
func (n numbers) differ(own, ours [2]float64, dtype string) error {
	t := n.tolerances[dtype]
	for k, most := range []float64{t.first, t.second} {
		if off := math.Abs(own[k]-ours[k]) / math.Abs(ours[k]); !(off <= most) {
			return fmt.Errorf("its %s is %.6g, ours %.6g: apart by %.2g, and %.2g are allowed", []string{n.first, n.second}[k], own[k], ours[k], off, most)
		}
	}
	return nil
}

// far says that what was made is further from ours than it may be, where runs make something.
func (n numbers) far(apart float64, dtype string) error {
	if most := n.tolerances[dtype].made; most > 0 && !(apart > 0 && apart <= most) {
		return fmt.Errorf("its %s apart from ours by %.2g, and %.2g are allowed", n.made, apart, most)
	}
	return nil
}

// gradients are the numbers of updates and questions; bfloat16 has three digits.
var gradients = numbers{"loss", "norm of the gradient", "", map[string]tolerance{"float32": {1e-3, 1e-3, 0}, "bfloat16": {0.02, 0.1, 0}}}

// bench measures models.
type bench struct {
	settings
	numbers numbers
	work    string // folder
	launch  []launcher
	pause   time.Duration // between turns
	say     func(format string, args ...any)
}

// launcher starts a side.
type launcher struct {
	side        string
	command     func(order string) []string
	environment func(order string) []string
}

// kernels is the folder beside an order where PyTorch's compiler keeps what it compiles.
const kernels = "kernels"

// launchers are our side and, unless it is alone, PyTorch's two.
func (s settings) launchers(ctx context.Context, say func(string, ...any)) ([]launcher, error) {
	var before []string
	if s.Threads < runtime.NumCPU() {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			return nil, fmt.Errorf("-threads: %w: install util-linux, or leave -threads out", err)
		}
		before = []string{taskset, "-c", fmt.Sprintf("0-%d", s.Threads-1)}
	}
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	all := []launcher{{ours, func(order string) []string {
		return append(slices.Clone(before), own, "-serve", order)
	}, func(string) []string { return nil }}}
	if s.Ours {
		return all, nil
	}
	program, err := python(ctx, say)
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(s.root)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(root, "internal", "bench", "torch")
	for _, how := range []string{eager, compiled} {
		all = append(all, launcher{how, func(order string) []string {
			return append(slices.Clone(before), program, filepath.Join(folder, "peer.py"), order, how)
		}, func(order string) []string {
			return []string{
				"PYTHONPATH=" + folder, "PYTHONDONTWRITEBYTECODE=1", "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=" + strconv.Itoa(s.Threads),
				"TORCHINDUCTOR_CACHE_DIR=" + filepath.Join(filepath.Dir(order), kernels),
			}
		}})
	}
	return all, nil
}

// measure measures one model. What goes wrong is in the result.
func (b *bench) measure(ctx context.Context, s subject) *measured {
	m := &measured{Name: s.Name, Title: s.Title, Kind: s.Kind}
	b.say("%s: writing the checkpoint", s.Name)
	file, err := b.prepare(ctx, s, scale{})
	if err != nil {
		m.Error = err.Error()
		return m
	}
	end(b.turns(ctx, b.beginAll(ctx, m, file, b.launch)))
	return m
}

// beginAll begins the sides of a model's order, and returns those that compute what ours does, ours first.
func (b *bench) beginAll(ctx context.Context, m *measured, file string, launch []launcher) (alive []*measuredSide) {
	for _, l := range launch {
		side := b.begin(ctx, l, file)
		m.Sides = append(m.Sides, side)
		if side.Fault == "" && l.side != ours {
			side.compare(m.Sides[0], b.numbers, b.DType)
		}
		switch {
		case side.peer == nil:
		case side.Fault != "":
			side.peer.end()
		default:
			alive = append(alive, side)
		}
		if side.Fault != "" && l.side == ours {
			break // there is nothing to compare with
		}
	}
	return alive
}

// end ends the sides.
func end(alive []*measuredSide) {
	for _, side := range alive {
		side.peer.end()
	}
}

// prepare writes the checkpoint and the order, of a scale where it has one, and returns the order's file.
func (b *bench) prepare(ctx context.Context, s subject, size scale) (string, error) {
	o, err := b.order(s)
	if err != nil {
		return "", err
	}
	o.Scale = size
	if err := b.write(ctx, s, o.Checkpoint); err != nil {
		return "", err
	}
	return o.place(filepath.Dir(o.Checkpoint))
}

// order is that of a model, for its checkpoint in a folder of its own.
func (b *bench) order(s subject) (order, error) {
	work, err := filepath.Abs(filepath.Join(b.work, b.DType, s.Name))
	if err != nil {
		return order{}, err
	}
	program, err := filepath.Abs(filepath.Join(b.root, s.Kind, s.Name, "bench.py"))
	return order{
		Kind: s.Kind, Checkpoint: filepath.Join(work, "checkpoint"), Program: program,
		DType: b.DType, Threads: b.Threads, Backend: b.Backend, Side: s.Side, Step: s.Step, Options: s.Options,
	}, err
}

// place writes the order to a folder, where its inputs will be, too, and returns the order's file.
func (o order) place(folder string) (string, error) {
	if err := os.RemoveAll(filepath.Join(folder, kernels)); err != nil { // of an earlier run, which would compile for nothing
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	o.Inputs = filepath.Join(folder, "inputs.safetensors")
	file := filepath.Join(folder, "order.json")
	return file, o.write(file)
}

// write writes a model's checkpoint to a folder.
func (b *bench) write(ctx context.Context, s subject, folder string) error {
	dtype := map[string]safetensors.DType{"float32": safetensors.F32, "bfloat16": safetensors.BF16}[b.DType]
	files, err := s.checkpoint(ctx, dtype)
	if err != nil {
		return err
	}
	return lifesize.Write(ctx, files, folder)
}

// write writes the order to a file.
func (o order) write(file string) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// begin starts a side and has it compile, in its first run. Its second one is not measured either: allocators settle.
func (b *bench) begin(ctx context.Context, l launcher, order string) *measuredSide {
	side := &measuredSide{Side: l.side}
	began := time.Now()
	var err error
	if side.peer, err = start(ctx, l.command(order), l.environment(order), b.Limit); err != nil {
		side.fail("open", err)
		return side
	}
	side.What, side.Open = side.peer.what, time.Since(began).Seconds()
	first, err := side.peer.ask(ctx, 1, b.Limit)
	if err != nil {
		side.fail("first run", err)
		return side
	}
	side.First, side.Loss, side.Norm, side.Peak, side.Apart = first.Seconds[0], first.Losses[0], first.Norms[0], first.Peak, first.Apart
	b.say("  %-8s %s: open %.1f s, first run %.1f s, %s %.6g, %s %.6g", l.side, side.What, side.Open, side.First,
		b.numbers.first, side.Loss, b.numbers.second, side.Norm)
	if side.Apart > 0 {
		b.say("           its pictures are apart from ours by %.2g", side.Apart)
	}
	if _, err := side.peer.ask(ctx, 1, b.Limit); err != nil {
		side.fail("second run", err)
	}
	return side
}

// compare says whether a side computes what ours does.
func (s *measuredSide) compare(with *measuredSide, n numbers, dtype string) {
	err := cmp.Or(n.differ([2]float64{s.Loss, s.Norm}, [2]float64{with.Loss, with.Norm}, dtype), n.far(s.Apart, dtype))
	if err != nil {
		s.Wrong, s.Fault = true, err.Error()
	}
}

// turns has the sides make their runs, and returns those that are still alive.
func (b *bench) turns(ctx context.Context, alive []*measuredSide) []*measuredSide {
	for round := range b.Rounds {
		for k := 0; k < len(alive); k++ {
			select {
			case <-time.After(b.pause):
			case <-ctx.Done():
			}
			side := alive[k]
			r, err := side.peer.ask(ctx, b.Runs, time.Duration(b.Runs)*b.Limit)
			if err != nil {
				side.fail(fmt.Sprintf("round %d", round+1), err)
				side.peer.end()
				alive = slices.Delete(alive, k, k+1)
				k--
				continue
			}
			side.Seconds, side.Peak = append(side.Seconds, r.Seconds), cmp.Or(r.Peak, side.Peak)
			b.say("  %-8s round %d of %d: %.0f ms", side.Side, round+1, b.Rounds, 1000*median(r.Seconds))
		}
	}
	return alive
}

// fail says why nothing is known of a side.
func (s *measuredSide) fail(where string, err error) {
	s.Fault, s.Late, s.Seconds = where+": "+err.Error(), errors.Is(err, errLate), nil
}
