package install

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var library = regexp.MustCompile(`^lib\.so$`)

// entry is a file of a test archive; a link points to its content.
type entry struct {
	name, content string
	link          bool
}

func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		header.SetMode(0o644)
		if e.link {
			header.SetMode(fs.ModeSymlink | 0o777)
		}
		w, err := archive.CreateHeader(header)
		require.NoError(t, err)
		_, err = w.Write([]byte(e.content))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return out.Bytes()
}

func makeTar(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Size: int64(len(e.content)), Mode: 0o644}
		if e.link {
			header.Typeflag, header.Linkname, header.Size = tar.TypeSymlink, e.content, 0
		}
		require.NoError(t, archive.WriteHeader(header))
		if !e.link {
			_, err := archive.Write([]byte(e.content))
			require.NoError(t, err)
		}
	}
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())
	return out.Bytes()
}

func store(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func TestPick(t *testing.T) {
	entries := []entry{
		{name: "lib.so", content: "/etc/passwd", link: true}, // never followed
		{name: "a/readme", content: "text"},
		{name: "../../a/lib.so", content: "the library"}, // its folder means nothing
		{name: "b/lib.so", content: "another"},
	}
	for name, archive := range map[string][]byte{"zip": makeZip(t, entries...), "tar": makeTar(t, entries...)} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, Pick(t.Context(), store(t, archive), library, &out, 100))
			require.Equal(t, "the library", out.String())

			require.ErrorIs(t, Pick(t.Context(), store(t, archive), library, &out, 10), ErrTooLarge)
			other := regexp.MustCompile(`^other\.so$`)
			require.ErrorIs(t, Pick(t.Context(), store(t, archive), other, &out, 100), ErrNotFound)

			for cut := range len(archive) {
				require.Error(t, Pick(t.Context(), store(t, archive[:cut]), other, &out, 100), "cut at %d", cut)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, Pick(cancelled, store(t, archive), library, &out, 100), context.Canceled)
		})
	}
}

// TestPickDamaged: archives whose release has no hash still have their own checksums.
func TestPickDamaged(t *testing.T) {
	var out bytes.Buffer
	zipped := makeZip(t, entry{name: "lib.so", content: "the library"})
	// The size in the central directory lies: 4 bytes, where 11 come.
	directory := bytes.Index(zipped, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(zipped[directory+24:], 4)
	require.Error(t, Pick(t.Context(), store(t, zipped), library, &out, 100))

	tarred := makeTar(t, entry{name: "lib.so", content: "the library"})
	tarred[len(tarred)-8] ^= 1 // gzip's CRC
	require.ErrorIs(t, Pick(t.Context(), store(t, tarred), library, &out, 100), gzip.ErrChecksum)
}

// TestPickBomb: what stands before the wanted file is bounded too.
func TestPickBomb(t *testing.T) {
	bomb := makeTar(t, entry{name: "zeros", content: string(make([]byte, 4<<20))}, entry{name: "lib.so", content: "x"})
	require.Less(t, len(bomb), 10_000)
	var out bytes.Buffer
	require.Error(t, Pick(t.Context(), store(t, bomb), library, &out, 1<<20))
	require.Zero(t, out.Len())
}

func TestUnpack(t *testing.T) {
	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	archive := makeZip(t,
		entry{name: "nvidia/cu13/bin/ptxas", content: "tool"},
		entry{name: "nvidia/cu13/lib/libx.so", content: "library"},
		entry{name: "nvidia/link", content: "/etc/passwd", link: true},
		entry{name: "other/file", content: "not wanted"},
		entry{name: "nvidia/../../evil", content: "is other/.. after all"},
	)
	require.NoError(t, Unpack(t.Context(), store(t, archive), "nvidia", root, 1000))
	var got []string
	require.NoError(t, fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if !e.IsDir() {
			got = append(got, path)
		}
		return err
	}))
	require.Equal(t, []string{"cu13/bin/ptxas", "cu13/lib/libx.so"}, got)
	require.ErrorIs(t, Unpack(t.Context(), store(t, archive), "nvidia", root, 9), ErrTooLarge, "11 bytes together")

	info, err := root.Stat("cu13/bin/ptxas")
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100, "tools are executable")
}

// TestUnpackThroughLink: a link that is already in the folder leads nowhere.
func TestUnpackThroughLink(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(folder, "lib")))
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	archive := makeZip(t, entry{name: "nvidia/lib/evil", content: "x"})
	require.Error(t, Unpack(t.Context(), store(t, archive), "nvidia", root, 1000))
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)
}

func FuzzPick(f *testing.F) {
	f.Add(makeZip(f, entry{name: "lib.so", content: "x"}))
	f.Add(makeTar(f, entry{name: "lib.so", content: "x"}))
	f.Add([]byte("PK"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		var out bytes.Buffer
		if Pick(t.Context(), store(t, archive), library, &out, 1000) == nil {
			require.LessOrEqual(t, out.Len(), 1000)
		}
	})
}
