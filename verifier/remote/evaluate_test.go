package remote_test

import (
	"image/color"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// corner is an endpoint that looks at the pictures, once it is awake: its P(Yes) is
// how blue the upper left corner is.
func corner(t *testing.T) *endpoint {
	return serve(t, func(w http.ResponseWriter, k int, body map[string]any) {
		if k == 1 {
			w.Header().Set("Retry-After-Ms", "1")
			write(w, 503, "")
			return
		}
		img, _ := sent(t, body)
		_, _, b, _ := img.At(2, 2).RGBA()
		p := .01 + .98*float64(b>>8)/255
		write(w, 200, completion("No", "stop", said{"No", 1 - p, map[string]float64{"Yes": p}}))
	})
}

// TestEvaluate has pictures of the pocket generator rated by an endpoint.
func TestEvaluate(t *testing.T) {
	e := corner(t)
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	defer rt.Close()
	g, err := pocket.Open(t.Context(), rt, pocket.Options{})
	require.NoError(t, err)

	line := overlay.Solid{Picture: overlay.HorizonLine{Row: 0.04, Color: color.NRGBA{0, 0, 255, 255}}}
	ratings, err := dualprocess.Evaluate(t.Context(), dualprocess.Evaluation{
		Runtime: rt, Generator: g, Prompts: []string{"a sea at sunset"}, Seeds: []int64{1},
		Scorer: e.scorer(t, remote.Options{}),
		Questions: []dualprocess.Question{
			{Text: "Is the corner blue?", Answer: "Yes"}, {Text: "Is the corner blue?", Answer: "No"}, {Text: "Is there a line?", Answer: "Yes", Overlay: line},
		},
	})
	require.NoError(t, err)
	require.Len(t, ratings, 1)
	blue := .01 + .98*float64(ratings[0].Image.NRGBAAt(2, 2).B)/255
	assert.InDeltaSlice(t, []float64{blue, 1 - blue, .99}, ratings[0].P, 1e-6, "the last sees the overlay's line")
	assert.Len(t, e.asked(), 4, "one of them twice")
}
