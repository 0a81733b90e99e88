package pipelinetest

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Files returns the files of the first fixture of a family, in memory, for tests that
// change one of them.
func Files(t testing.TB, family string) fstest.MapFS {
	t.Helper()
	return Find(t, family)[0].Model(t, "model")
}

// Replace changes text in a file.
func Replace(t testing.TB, files fstest.MapFS, name, old, new string) {
	t.Helper()
	require.Contains(t, string(files[name].Data), old)
	files[name] = &fstest.MapFile{Data: bytes.Replace(files[name].Data, []byte(old), []byte(new), 1)}
}

// Refused is a change of a file that makes it one that is not supported. The error
// names Names. (It is no type of its own so that tables of it need no names of fields.)
type Refused = struct{ File, Old, New, Names string }

// ConfigRefused makes one change at a time, each of which read must refuse by
// an error that names the part of the pipeline too.
func ConfigRefused(t *testing.T, files func(testing.TB) fstest.MapFS, changes []Refused, read func(fs.FS) error) {
	for _, c := range changes {
		t.Run(c.File+" "+c.New, func(t *testing.T) {
			changed := files(t)
			Replace(t, changed, c.File, c.Old, c.New)
			err := read(changed)
			require.ErrorContains(t, err, c.Names)
			require.ErrorContains(t, err, strings.Split(c.File, "/")[0])
		})
	}
}

// Spoilt is a way to spoil the folder of a checkpoint. The error is Want and names
// Names.
type Spoilt struct {
	Spoil func(t *testing.T, files fstest.MapFS)
	Want  error
	Names string
}

// Deleted is a file that is not there.
func Deleted(file, names string) Spoilt {
	return Spoilt{func(_ *testing.T, files fstest.MapFS) { delete(files, file) }, fs.ErrNotExist, names}
}

// Truncated is a file of weights without its end.
func Truncated(file string) Spoilt {
	return Spoilt{func(_ *testing.T, files fstest.MapFS) {
		files[file] = &fstest.MapFile{Data: files[file].Data[:len(files[file].Data)-4]}
	}, safetensors.ErrFormat, file}
}

// Replaced is a file with other text.
func Replaced(file, old, new string, want error, names string) Spoilt {
	return Spoilt{func(t *testing.T, files fstest.MapFS) { Replace(t, files, file, old, new) }, want, names}
}

// Overwritten is a file that holds nothing but a text.
func Overwritten(file, text string, want error, names string) Spoilt {
	return Spoilt{func(_ *testing.T, files fstest.MapFS) { files[file] = &fstest.MapFile{Data: []byte(text)} }, want, names}
}

// OpenRefused spoils the folder of a checkpoint in one way at a time, which open must
// refuse without leaving anything behind.
func OpenRefused(t *testing.T, rt *backends.Runtime, files func(testing.TB) fstest.MapFS, ways map[string]Spoilt, open func(fs.FS) error) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			spoilt := files(t)
			way.Spoil(t, spoilt)
			before := rt.Store.NumVariables()
			err := open(spoilt)
			require.ErrorIs(t, err, way.Want)
			require.ErrorContains(t, err, way.Names)
			require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
		})
	}
}

// Released lets a generator's text encoder go, and brings it back for a new prompt.
// Two prompts are the same to it; their words' states have a shape.
func Released(t *testing.T, rt *backends.Runtime, g Generator, same [2]string, words ...int) {
	all := rt.Store.NumVariables()
	first, err := g.Encode(t.Context(), same[0])
	require.NoError(t, err)
	require.NoError(t, g.Release())
	require.Less(t, rt.Store.NumVariables(), all)
	require.NoError(t, first[0].FinalizeAll()) // what was given belongs to the caller
	again, err := g.Encode(t.Context(), same[1])
	require.NoError(t, err)
	require.Len(t, again, len(first))
	require.Equal(t, words, again[0].Shape().Dimensions)
	require.Less(t, rt.Store.NumVariables(), all, "what is remembered needs no weights")
	_, err = g.Encode(t.Context(), "a blue one")
	require.NoError(t, err)
	require.Equal(t, all, rt.Store.NumVariables())
}
