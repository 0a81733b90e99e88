package dualprocess_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	gpocket "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/overlay"
	vpocket "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// openRuntime opens a backend, "" for the fastest here, until the test ends.
func openRuntime(tb testing.TB, backend string) *backends.Runtime {
	tb.Helper()
	rt, err := backends.Open(tb.Context(), backends.Options{Backend: backend, NoDownload: true})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, rt.Close()) })
	return rt
}

// openEmbedded opens the embedded models.
func openEmbedded(tb testing.TB, rt *backends.Runtime) (*gpocket.Generator, *vpocket.Verifier) {
	tb.Helper()
	g, err := gpocket.Open(tb.Context(), rt, gpocket.Options{})
	require.NoError(tb, err)
	v, err := vpocket.Open(tb.Context(), rt, vpocket.Options{})
	require.NoError(tb, err)
	return g, v
}

// onTheLine asks whether the horizon lies on a red line.
func onTheLine(row float64) []dualprocess.Question {
	return []dualprocess.Question{{
		Text: "Does the horizon lie on the red line?", Answer: "Yes",
		Overlay: overlay.Solid{Picture: overlay.HorizonLine{Row: row}},
	}}
}
