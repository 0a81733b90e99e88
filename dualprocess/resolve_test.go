package dualprocess

import (
	"context"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// suggesting is as much of a generator and a verifier as resolving a task asks.
type suggesting struct {
	Generator
	preset Preset
}

func (suggesting) Steps() int       { return 4 }
func (s suggesting) Preset() Preset { return s.preset }

type silent struct{}

func (silent) Prepare(context.Context, Question, int, int) (Inputs, error) { return nil, nil }
func (silent) LogProbs(*graph.Node, [][]*graph.Node) []*graph.Node         { return nil }

func TestPrefixOfTheAdapter(t *testing.T) {
	rt, err := backends.Open(context.Background(), backends.Options{Backend: "go", NoDownload: true})
	require.NoError(t, err)
	defer rt.Close()
	task := Task{
		Runtime: rt, Generator: suggesting{preset: Preset{Prefix: "unet"}}, Verifier: silent{},
		Prompts: []string{"a sea"}, Questions: []Question{{Text: "Is it?", Answer: "Yes"}},
	}
	got, err := task.resolved()
	require.NoError(t, err)
	assert.Equal(t, "unet", got.Adapter.Prefix)
	task.Adapter.Prefix = "transformer"
	got, err = task.resolved()
	require.NoError(t, err)
	assert.Equal(t, "transformer", got.Adapter.Prefix, "what the task says counts")
	task.Start, err = lora.New(lora.Config{}, []lora.Layer{{Name: "q", In: 4, Out: 4}})
	require.NoError(t, err)
	_, err = task.resolved()
	assert.ErrorIs(t, err, ErrTask, "Start has its own")
}
