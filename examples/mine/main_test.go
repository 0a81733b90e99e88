package main

import (
	"bufio"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// drawn is a landscape whose horizon is known.
func drawn(t *testing.T, row float64) *image.NRGBA {
	t.Helper()
	s, err := world.Parse("a meadow by day")
	require.NoError(t, err)
	s.Horizon, s.Size = row, 1
	return s.Draw(64).Image()
}

func TestMeasured(t *testing.T) {
	blank := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	var ratings []dualprocess.Rating
	for _, p := range []*image.NRGBA{drawn(t, .3), drawn(t, .7), drawn(t, .36), blank, drawn(t, .3)} {
		ratings = append(ratings, dualprocess.Rating{Prompt: "a meadow by day", Image: p})
	}
	ratings[4].Prompt = "a desert at night"
	got := measured(ratings, .3)
	assert.Equal(t, []float64{1, 0}, got[:2])
	assert.True(t, math.IsNaN(got[4]), "it has not the colours of its caption")
	assert.True(t, math.IsNaN(got[2]), "a person would not label it")
	assert.True(t, math.IsNaN(got[3]), "there is no horizon")
}

// Of what two opinions say, the differences are kept, once for a prompt and seed, and
// can be read again.
func TestCollection(t *testing.T) {
	line := overlay.Solid{Picture: overlay.HorizonLine{Row: .3}}
	ask, err := secondOpinion(t.Context(), nil, .3, "")
	require.NoError(t, err)
	c := &collection{line: line, ask: ask}
	ratings := func(p ...float64) (all []dualprocess.Rating) {
		for k, row := range []float64{.3, .7, .7, .36} {
			all = append(all, dualprocess.Rating{Prompt: "a meadow by day", Seed: int64(k), P: p[k : k+1], Image: drawn(t, row)})
		}
		return all
	}
	yes := dualprocess.Question{Text: "Does the horizon lie on the red line?", Answer: "Yes", Overlay: line}
	no := yes
	no.Answer = "No"
	ctx := context.Background()
	require.NoError(t, c.look(ctx, yes, 5, ratings(.9, .1, .6, .9)...))
	require.NoError(t, c.look(ctx, yes, 10, ratings(.9, .1, .8, .9)...), "the same picture, and surer")
	require.NoError(t, c.look(ctx, no, 5, ratings(.75, .9, .9, .9)...), "asked for No")
	assert.Equal(t, []int{1, 1, 12, 3}, []int{c.count("Yes"), c.count("No"), c.looked, c.unclear})

	folder := t.TempDir()
	require.NoError(t, c.write(folder))
	file, err := os.Open(filepath.Join(folder, "mined.jsonl"))
	require.NoError(t, err)
	defer file.Close()
	var finds []find
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var f find
		require.NoError(t, json.Unmarshal(lines.Bytes(), &f))
		finds = append(finds, f)
		seen, plain := open(t, folder, f.Image), open(t, folder, f.Plain)
		assert.NotEqual(t, seen, plain, "the line lies over one of them")
	}
	require.Len(t, finds, 2)
	for _, f := range finds {
		assert.Equal(t, "Does the horizon lie on the red line? Answer with Yes or No.", f.Question)
		assert.NotEqual(t, f.Answer, f.Verifier)
	}
	assert.Equal(t, []any{.8, 10, "No"}, []any{finds[0].P, finds[0].Update, finds[0].Answer})
	assert.Equal(t, []any{.25, 5, "Yes"}, []any{finds[1].P, finds[1].Update, finds[1].Answer})
}

func open(t *testing.T, folder, name string) image.Image {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, name))
	require.NoError(t, err)
	defer file.Close()
	p, err := png.Decode(file)
	require.NoError(t, err)
	return p
}
