package dualprocess_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
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
	"several steps and an anchor": func(t *dualprocess.Task) {
		t.Unroll, t.FirstStep, t.EndStep, t.StepWeights = 2, 0, 3, []float64{.5, 1, 2, 1}
		t.Anchor, t.Questions = dualprocess.Anchor{Weight: 1, Every: 3}, []dualprocess.Question{{Text: "red", Answer: "Yes", Against: "No"}}
	},
	"a judge and bounds": func(t *dualprocess.Task) {
		t.StopAt = dualprocess.StopAt{Seeds: []int64{1, 2, 3}, Every: 2}
		t.Judge, t.Bounds = dualprocess.Judge{Scorer: other, Gap: .01}, dualprocess.Bounds{Entropy: .1, Spread: 1.5}
	},
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
	watched := w.kept(t.TempDir())
	judged(&watched).Gap, watched.Bounds.Entropy = .5, 1
	distil(t, watched)
	for name, change := range map[string]func(*dualprocess.Task){
		"Judge":          func(t *dualprocess.Task) { t.Judge.Gap = .4 },
		"Bounds":         func(t *dualprocess.Task) { t.Bounds.Entropy = 2 },
		"StopAt.Hacking": func(t *dualprocess.Task) { t.StopAt.Hacking = true },
	} {
		task := watched
		change(&task)
		_, err := dualprocess.Distill(background, task)
		require.ErrorIs(t, err, dualprocess.ErrCheckpoint)
		require.ErrorContains(t, err, name)
	}
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
		"Unroll":       func(t *dualprocess.Task) { t.FirstStep, t.EndStep, t.Unroll = 0, 4, 1 },
		"StepWeights":  func(t *dualprocess.Task) { t.StepWeights = []float64{1, 1, 1, 2} },
		"Anchor":       func(t *dualprocess.Task) { t.Anchor.Weight = 1 },
		"Against": func(t *dualprocess.Task) {
			t.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Against: "No"}}
		},
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

// What the other answer counts for belongs to the task, too.
func TestResumeAgainst(t *testing.T) {
	w, folder := newToy(t, "go"), t.TempDir()
	task := func(weight float64) dualprocess.Task {
		task := w.kept(folder)
		task.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Against: "No", AgainstWeight: weight}}
		return task
	}
	interrupt(t, task(.5), 5)
	_, err := dualprocess.Distill(background, task(.25))
	require.ErrorIs(t, err, dualprocess.ErrCheckpoint)
	require.ErrorContains(t, err, "Against")
	_, err = dualprocess.Distill(background, task(.5))
	require.NoError(t, err)
}
