package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "name.txt")
	write := func(text string) error {
		return Write(path, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
	}
	require.NoError(t, write("first"))
	require.NoError(t, write("second"))
	broken := errors.New("broken")
	err := Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		require.NoError(t, err)
		torn, err := filepath.Glob(filepath.Join(dir, Temporary("name")))
		require.NoError(t, err)
		require.Len(t, torn, 1)
		return broken
	})
	require.ErrorIs(t, err, broken)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "second", string(got))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left")
	require.ErrorIs(t, Write(filepath.Join(dir, "none", "x"), func(io.Writer) error { return nil }), os.ErrNotExist)
}
