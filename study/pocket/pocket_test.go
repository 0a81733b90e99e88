package pocket_test

import (
	"image"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/pocket"
	"github.com/dualprocess/dualprocess-go/study/questions"
)

// drawn draws a scene of a prompt with so much ice or light.
func drawn(t *testing.T, prompt string, amount float64) image.Image {
	t.Helper()
	caption, err := world.Parse(prompt)
	require.NoError(t, err)
	scene := world.NewScene(rand.New(rand.NewPCG(1, 2)), caption.Family, world.Narrow)
	scene.Winter, scene.Night, scene.Thing, scene.Amount = caption.Winter, caption.Night, caption.Thing, amount
	return scene.Draw(64).Image()
}

// Every rule can be asked of the embedded models, and the judge tells pictures that obey
// it from those that do not.
func TestRules(t *testing.T) {
	rt := golden.Runtime(t)
	task, done, err := pocket.Open(t.Context(), rt)
	require.NoError(t, err)
	defer func() { require.NoError(t, done()) }()
	s := pocket.Commonsense(task)
	require.NotEmpty(t, s.Rules)
	for _, r := range s.Rules {
		for k, side := range r.Sides {
			for _, prompt := range []string{side.Prompt, side.Expanded} {
				_, err := task.Generator.Encode(t.Context(), prompt)
				require.NoError(t, err)
			}
			for _, q := range []string{side.Question, side.Vague} {
				question := s.Ask(q)
				question.Bare, question.Answer = false, "Yes"
				_, err := task.Verifier.Prepare(t.Context(), question, 64, 64)
				require.NoError(t, err, q)
			}
			for amount := range 2 {
				p, err := s.Judge.Score(t.Context(), drawn(t, side.Prompt, float64(amount)), s.Ask(side.Description))
				require.NoError(t, err)
				assert.Equal(t, k == 0, p == float64(amount), "%s, amount %d: %s", side.Prompt, amount, side.Description)
			}
		}
	}
	_, err = s.Judge.Score(t.Context(), drawn(t, "a lake in winter", 0), s.Ask("The moon is full"))
	assert.Error(t, err)
}

// The writer knows what the rules do.
func TestWriter(t *testing.T) {
	writer := pocket.Writer()
	for _, r := range pocket.Rules() {
		for _, side := range r.Sides {
			q, err := writer.Question(t.Context(), side.Prompt)
			require.NoError(t, err)
			assert.Equal(t, dualprocess.Question{Text: side.Question, Answer: side.Answer}, q)
			expanded, err := writer.Expand(t.Context(), side.Prompt)
			require.NoError(t, err)
			assert.Equal(t, side.Expanded, expanded)
		}
	}
	_, err := writer.Question(t.Context(), "a lake on mars")
	require.ErrorIs(t, err, questions.ErrUnwritten)
}

func TestLocate(t *testing.T) {
	for _, row := range []float64{.3, .5, .7} {
		scene := world.NewScene(rand.New(rand.NewPCG(1, 2)), world.Landscape, world.Narrow)
		scene.Horizon = row
		at, found := pocket.Locate(scene.Draw(64).Image())
		assert.True(t, found)
		assert.InDelta(t, row, at, .03)
	}
}

// As many labels are Yes as No, and the same seed draws the same.
func TestDrawn(t *testing.T) {
	pictures := pocket.Drawn(40, 7)
	require.Len(t, pictures, 40)
	yes := 0
	topics := map[string]bool{}
	for _, p := range pictures {
		if p.Yes {
			yes++
		}
		topics[p.Topic] = true
		assert.Equal(t, image.Rect(0, 0, 64, 64), p.Image.Bounds())
	}
	assert.Equal(t, 20, yes)
	assert.Len(t, topics, len(world.Families()))
	assert.Equal(t, pictures[39], pocket.Drawn(40, 7)[39])
}

// The study of the horizon in its short form, on the embedded models.
func TestHorizonShort(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	task, done, err := pocket.Open(t.Context(), golden.Runtime(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, done()) }()
	assert.IsType(t, &generator.Generator{}, task.Generator)
	s := pocket.Horizon(task)
	s.Short, s.Seeds = true, []int64{1 << 40}
	r, err := study.Run(t.Context(), s, study.Options{Folder: t.TempDir()})
	require.NoError(t, err)
	require.Len(t, r.Cells, 2)
	assert.Positive(t, r.Cells[0].Value)
	assert.NotEqual(t, r.Cells[0].Value, r.Cells[1].Value)
}

// Table 5 in its short form, on the embedded models: all rows of Table 1, with the
// adapters that Table 1 has trained in the same folder.
func TestQualityShort(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	task, done, err := pocket.Open(t.Context(), golden.Runtime(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, done()) }()
	s, err := pocket.Quality(task)
	require.NoError(t, err)
	s.Short, s.Of.Short = true, true
	folder := t.TempDir()
	r, err := study.Run(t.Context(), s, study.Options{Folder: folder})
	require.NoError(t, err)
	require.Len(t, r.Cells, 4*len(s.Distances))
	base, ok := r.Cell(study.Cell{Row: "Base Prompt", Column: "FID"})
	require.True(t, ok)
	ours, ok := r.Cell(study.Cell{Row: "Base Prompt + Ours", Column: "FID"})
	require.True(t, ok)
	assert.Positive(t, base.Value)
	assert.NotEqual(t, base.Value, ours.Value)
	trained, err := filepath.Glob(filepath.Join(folder, "adapters", "table1", "*.safetensors"))
	require.NoError(t, err)
	assert.Len(t, trained, 2)
}
