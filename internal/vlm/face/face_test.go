package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFaces finds all packages that ask for a face, and compares what they have.
func TestFaces(t *testing.T) {
	directive := regexp.MustCompile(`(?m)^//go:generate go run \.\./\.\./internal/vlm/face "(.+)"$`)
	models, err := filepath.Glob("../../../verifier/*/model.go")
	require.NoError(t, err)
	found := 0
	for _, model := range models {
		code, err := os.ReadFile(model)
		require.NoError(t, err)
		said := directive.FindSubmatch(code)
		if said == nil {
			continue
		}
		found++
		folder := filepath.Dir(model)
		want, err := face(filepath.Base(folder), string(said[1]))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "run go generate ./verifier/...")
	}
	require.Equal(t, 9, found)
}
