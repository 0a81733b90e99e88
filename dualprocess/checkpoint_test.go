package dualprocess_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// kept is a task of nine updates with a checkpoint after every other.
func (w *toy) kept(folder string) dualprocess.Task {
	task := w.task()
	task.Updates, task.Checkpoint = 9, dualprocess.Checkpoint{Folder: folder, Every: 2}
	return task
}

// variants are tasks that draw, add up and judge in every way that there is.
var variants = map[string]func(*dualprocess.Task){
	"plain": func(*dualprocess.Task) {},
	"everything drawn": func(t *dualprocess.Task) {
		t.Prompts, t.SeedOrder, t.SeedCount, t.Timesteps = []string{"sea", "meadow"}, dualprocess.Drawn, 3, dualprocess.Renoise
	},
	"guards and micro-batches": func(t *dualprocess.Task) {
		t.Accumulate, t.Drift, t.Preserve = 2, .1, dualprocess.Preserve{Prompts: []string{"desert"}, Weight: 1}
		t.WarmUp, t.Decay = 3, 4
	},
	"a window": func(t *dualprocess.Task) { t.StopAt = dualprocess.StopAt{P: .999, Window: 3} },
	"validations": func(t *dualprocess.Task) {
		t.StopAt = dualprocess.StopAt{Seeds: []int64{1, 2, 3}, Every: 2}
	},
}

// Wherever a training is interrupted, the same task goes on from its checkpoint to
// the adapter that it would have given.
func TestResume(t *testing.T) {
	w := newToy(t, "go")
	for name, vary := range variants {
		t.Run(name, func(t *testing.T) {
			task := w.kept("")
			task.Checkpoint = dualprocess.Checkpoint{}
			vary(&task)
			want, all := distil(t, task)
			for at := 1; at <= len(all); at++ {
				task := w.kept(t.TempDir())
				vary(&task)
				interrupt(t, task, at)
				got, rest := distil(t, task)
				require.Equal(t, numbers(t, want), numbers(t, got), "interrupted in update %d", at)
				require.Equal(t, want.Weight(), got.Weight())
				if len(rest) > 0 {
					last := rest[len(rest)-1]
					last.Elapsed = all[len(all)-1].Elapsed
					require.Equal(t, all[len(all)-1], last)
				}
				again, none := distil(t, task)
				require.Equal(t, numbers(t, want), numbers(t, again), "it is done")
				require.Empty(t, none)
			}
		})
	}
}

// interrupt runs a task whose context ends while an update is made.
func interrupt(t *testing.T, task dualprocess.Task, update int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	task.Status = func(s dualprocess.Status) {
		if s.Number == update && s.Phase == dualprocess.Updating {
			cancel()
		}
	}
	_, err := dualprocess.Distill(ctx, task)
	require.ErrorIs(t, err, context.Canceled)
}

// A training that is interrupted between an update and its validation validates
// first when it goes on.
func TestResumeBeforeValidation(t *testing.T) {
	w := newToy(t, "go")
	task := w.kept(t.TempDir())
	variants["validations"](&task)
	without := task
	without.Checkpoint = dualprocess.Checkpoint{}
	want, all := distil(t, without)

	ctx, cancel := context.WithCancel(t.Context())
	interrupted := task
	interrupted.Status = func(s dualprocess.Status) {
		if s.Number == 4 && s.Phase == dualprocess.Validating {
			cancel()
		}
	}
	_, err := dualprocess.Distill(ctx, interrupted)
	require.ErrorIs(t, err, context.Canceled)
	got, rest := distil(t, task)
	require.Equal(t, numbers(t, want), numbers(t, got))
	require.Equal(t, 4, rest[0].Number)
	require.True(t, rest[0].Validated)
	require.Equal(t, all[3].Validation, rest[0].Validation)
}

// A crash leaves whatever was on the disk: any of the checkpoints may be the last.
func TestResumeAfterACrash(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		source, crashed := t.TempDir(), t.TempDir()
		task := w.kept(source)
		task.Progress = func(u dualprocess.Update) {
			if u.Number == 5 {
				require.NoError(t, os.CopyFS(crashed, os.DirFS(source)))
			}
		}
		want, _ := distil(t, task)
		require.Len(t, checkpoints(t, source), 2, "the last two are kept")
		require.Equal(t, []string{"checkpoint-00000002.safetensors", "checkpoint-00000004.safetensors"}, checkpoints(t, crashed))

		torn := filepath.Join(crashed, ".checkpoint-00000006.safetensors.0123456789abcdef.tmp")
		require.NoError(t, os.WriteFile(torn, []byte("half"), 0o666))
		got, rest := distil(t, w.kept(crashed))
		require.Equal(t, numbers(t, want), numbers(t, got))
		require.Equal(t, 5, rest[0].Number)
		require.NoFileExists(t, torn)
	})
}

func checkpoints(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDamagedCheckpoints(t *testing.T) {
	w := newToy(t, "go")
	folder := t.TempDir()
	want, _ := distil(t, w.kept(folder))
	names := checkpoints(t, folder)
	newest := filepath.Join(folder, names[len(names)-1])
	sound, err := os.ReadFile(newest)
	require.NoError(t, err)
	flipped := bytes.Clone(sound)
	flipped[len(flipped)-3] ^= 1
	for name, data := range map[string][]byte{"empty": nil, "cut": sound[:len(sound)/2], "a bit": flipped, "other": []byte("not a checkpoint at all")} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(newest, data, 0o666))
			got, rest := distil(t, w.kept(folder))
			require.Equal(t, numbers(t, want), numbers(t, got))
			require.Equal(t, 9, rest[0].Number, "the one before counts")
		})
	}
}

func TestOtherTasksCheckpoint(t *testing.T) {
	w := newToy(t, "go")
	folder := t.TempDir()
	distil(t, w.kept(folder))
	other, err := lora.New(lora.Config{Rank: 2}, layersOf(t, w))
	require.NoError(t, err)
	for name, change := range map[string]func(*dualprocess.Task){
		"Prompts":      func(t *dualprocess.Task) { t.Prompts = []string{"meadow"} },
		"Questions[0]": func(t *dualprocess.Task) { t.Questions = []dualprocess.Question{{Text: "green", Answer: "Yes"}} },
		"Questions[1]": func(t *dualprocess.Task) { t.Questions = append(t.Questions, t.Questions[0]) },
		"Overlay": func(t *dualprocess.Task) {
			t.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Overlay: bar{1, 0}}}
		},
		"Generator":    func(t *dualprocess.Task) { t.Generator = levelled{w.g} },
		"Adapter":      func(t *dualprocess.Task) { t.Adapter.Rank = 3 },
		"Start":        func(t *dualprocess.Task) { t.Adapter, t.Start = lora.Config{}, other },
		"Weight":       func(t *dualprocess.Task) { t.Weight = 3 },
		"LearningRate": func(t *dualprocess.Task) { t.LearningRate = .02 },
		"WarmUp":       func(t *dualprocess.Task) { t.WarmUp = 1 },
		"Decay":        func(t *dualprocess.Task) { t.Decay = 1 },
		"Updates":      func(t *dualprocess.Task) { t.Updates = 10 },
		"Batch":        func(t *dualprocess.Task) { t.Batch = 1 },
		"Accumulate":   func(t *dualprocess.Task) { t.Accumulate = 2 },
		"Clip":         func(t *dualprocess.Task) { t.Clip = 2 },
		"Beta1":        func(t *dualprocess.Task) { t.Beta1 = .8 },
		"Beta2":        func(t *dualprocess.Task) { t.Beta2 = .8 },
		"Epsilon":      func(t *dualprocess.Task) { t.Epsilon = 1e-6 },
		"WeightDecay":  func(t *dualprocess.Task) { t.WeightDecay = .1 },
		"Seeds":        func(t *dualprocess.Task) { t.Seeds = []int64{1} },
		"SeedOrder":    func(t *dualprocess.Task) { t.SeedOrder = dualprocess.Drawn },
		"Timesteps":    func(t *dualprocess.Task) { t.EndStep = 2 },
		"Drift":        func(t *dualprocess.Task) { t.Drift = 1 },
		"Preserve":     func(t *dualprocess.Task) { t.Preserve = dualprocess.Preserve{Prompts: []string{"sea"}, Weight: 1} },
		"StopAt":       func(t *dualprocess.Task) { t.StopAt.P = .5 },
	} {
		t.Run(name, func(t *testing.T) {
			task := w.kept(folder)
			change(&task)
			a, err := dualprocess.Distill(background, task)
			require.Nil(t, a)
			require.ErrorIs(t, err, dualprocess.ErrCheckpoint)
			require.ErrorContains(t, err, name)
		})
	}
}

func layersOf(t *testing.T, w *toy) []lora.Layer {
	t.Helper()
	layers, err := dualprocess.Layers(w.rt, w.g)
	require.NoError(t, err)
	return layers
}

func TestCheckpointsThatCannotBeWritten(t *testing.T) {
	w := newToy(t, "go")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	a, err := dualprocess.Distill(background, w.kept(filepath.Join(file, "folder")))
	require.Error(t, err)
	require.Nil(t, a, "before any work")

	folder := filepath.Join(t.TempDir(), "gone")
	task := w.kept(folder)
	task.Progress = func(u dualprocess.Update) {
		if u.Number == 2 {
			require.NoError(t, os.Remove(folder))
		}
	}
	a, err = dualprocess.Distill(background, task)
	require.ErrorContains(t, err, "checkpoint after update 2")
	require.NotNil(t, a, "as trained so far")
}

func TestSnapshots(t *testing.T) {
	w := newToy(t, "go")
	folder := t.TempDir()
	var shown []*dualprocess.Snapshot
	task := w.kept("")
	task.Checkpoint = dualprocess.Checkpoint{}
	want, _ := distil(t, task)
	task.Questions = append(task.Questions, dualprocess.Question{Text: "red", Answer: "Yes", Prompts: []string{"sea"}})
	task.Snapshots = dualprocess.Snapshots{
		Every: 4, Prompts: []string{"sea", "meadow"}, Seeds: []int64{7, 8, 9},
		Do: func(s *dualprocess.Snapshot) error {
			file, err := os.Create(filepath.Join(folder, s.Name()))
			require.NoError(t, err)
			defer file.Close()
			n, err := s.WriteTo(file)
			require.NoError(t, err)
			info, err := file.Stat()
			require.NoError(t, err)
			require.Equal(t, info.Size(), n)
			shown = append(shown, s)
			return nil
		},
	}
	a, _ := distil(t, task)
	require.Equal(t, numbers(t, want), numbers(t, a), "looking changes nothing")
	require.Len(t, shown, 3)
	for k, number := range []int{4, 8, 9} {
		require.Equal(t, number, shown[k].Update.Number)
		require.Len(t, shown[k].Ratings, 6)
	}
	require.Equal(t, numbers(t, a), numbers(t, shown[2].Adapter))

	ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: task.Snapshots.Prompts, Seeds: task.Snapshots.Seeds,
		Questions: task.Questions, Adapter: a, Weights: []float64{2}, Batch: 2,
	})
	require.NoError(t, err)
	for k, r := range ratings {
		got := shown[2].Ratings[k]
		assert.Equal(t, r.Image, got.Image)
		assert.InDelta(t, r.P[0], got.P[0], 1e-6)
		assert.Equal(t, math.IsNaN(r.P[1]), math.IsNaN(got.P[1]))
		assert.Equal(t, []any{r.Prompt, r.Seed, r.Weight}, []any{got.Prompt, got.Seed, got.Weight})
	}

	require.NoError(t, os.Remove(filepath.Join(folder, shown[2].Name())))
	task.Checkpoint, task.Snapshots = dualprocess.Checkpoint{Folder: folder}, dualprocess.Snapshots{}
	got, rest := distil(t, task)
	require.Equal(t, numbers(t, a), numbers(t, got), "it goes on from what WriteTo wrote")
	require.Len(t, rest, 1)
}

func TestCallbacksEndTheTraining(t *testing.T) {
	w := newToy(t, "go")
	broken := errors.New("broken")
	for name, test := range map[string]struct{ give, want error }{"stop": {dualprocess.ErrStop, nil}, "an error": {broken, broken}} {
		t.Run(name, func(t *testing.T) {
			task := w.kept(t.TempDir())
			task.Snapshots = dualprocess.Snapshots{Every: 3, Do: func(s *dualprocess.Snapshot) error { return test.give }}
			a, err := dualprocess.Distill(background, task)
			require.ErrorIs(t, err, test.want)
			require.NotNil(t, a)
			require.Contains(t, checkpoints(t, task.Checkpoint.Folder), "checkpoint-00000003.safetensors")
		})
	}
}

// A second task of the same models and shapes compiles nothing, and is told so.
func TestStatus(t *testing.T) {
	w := newToy(t, "go")
	phases := func(task dualprocess.Task) (all []dualprocess.Phase, compiled []string) {
		task.Status = func(s dualprocess.Status) {
			if all = append(all, s.Phase); s.Phase == dualprocess.Compiling {
				compiled = append(compiled, s.Program)
			}
			require.Equal(t, task.Updates, s.Total)
		}
		distil(t, task)
		return all, compiled
	}
	first := w.kept(t.TempDir())
	first.Updates, first.StopAt = 2, dualprocess.StopAt{Seeds: []int64{1}, Every: 2}
	all, compiled := phases(first)
	require.Equal(t, []string{"denoise", "gradient", "decode", "rate pictures"}, compiled)
	require.Equal(t, dualprocess.Encoding, all[0])
	require.Subset(t, all, []dualprocess.Phase{dualprocess.Denoising, dualprocess.Updating, dualprocess.Validating, dualprocess.Saving})

	second := first
	second.Prompts, second.Questions = []string{"meadow", "desert"}, []dualprocess.Question{{Text: "green", Answer: "No"}}
	second.Seed, second.LearningRate, second.Checkpoint = 5, .02, dualprocess.Checkpoint{Folder: t.TempDir()}
	before := dualprocess.Compiled(w.rt)
	_, compiled = phases(second)
	require.Empty(t, compiled)
	require.Equal(t, before, dualprocess.Compiled(w.rt))
	require.Equal(t, 4, before.Kept)

	dualprocess.Forget(w.rt, w.v)
	require.Equal(t, 2, dualprocess.Compiled(w.rt).Kept)
	_, compiled = phases(second)
	require.Empty(t, compiled, "it was done")
	second.Checkpoint.Folder = t.TempDir()
	_, compiled = phases(second)
	require.Equal(t, []string{"gradient", "rate pictures"}, compiled)
}

// What has no words shapes a program of its own, and goes with it.
func TestOverlaysOfOnesOwn(t *testing.T) {
	w := newToy(t, "go")
	for _, grey := range []float32{0, 1} {
		task := w.task()
		task.Updates, task.Questions[0].Overlay = 1, bar{2, grey}
		distil(t, task)
		require.Equal(t, 1, dualprocess.Compiled(w.rt).Kept, "the step that denoises")
	}
	task := w.task()
	task.Updates = 1
	for _, row := range []float64{.2, .6} {
		task.Questions[0].Overlay = overlay.Stack{overlay.Solid{Picture: overlay.HorizonLine{Row: row}}}
		distil(t, task)
		require.Equal(t, 2, dualprocess.Compiled(w.rt).Kept, "one gradient for all drawings")
	}
}
