package dualprocess_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

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
