package overlay

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encoded returns a small picture in every format.
func encoded(t testing.TB) map[string][]byte {
	picture := drawn(t, Points{}, 32, 24)
	out := map[string][]byte{}
	for name, encode := range map[string]func(io.Writer) error{
		"png":  func(w io.Writer) error { return png.Encode(w, picture) },
		"jpeg": func(w io.Writer) error { return jpeg.Encode(w, picture, nil) },
		"gif":  func(w io.Writer) error { return gif.Encode(w, picture, nil) },
	} {
		var b bytes.Buffer
		require.NoError(t, encode(&b))
		out[name] = b.Bytes()
	}
	return out
}

// declaring returns the start of a PNG that declares a size and holds nothing.
func declaring(width, height uint32) []byte {
	header := []byte("IHDR")
	header = binary.BigEndian.AppendUint32(header, width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, header...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header))
	return append(out, 0, 0, 0, 9, 'I', 'D', 'A', 'T')
}

func TestDecode(t *testing.T) {
	for name, data := range encoded(t) {
		t.Run(name, func(t *testing.T) {
			picture, err := Decode(bytes.NewReader(data))
			require.NoError(t, err)
			assert.Equal(t, image.Pt(32, 24), picture.Bounds().Size())
			for _, n := range []int{0, 1, 5, 20, len(data) / 2, len(data) - 20} {
				_, err := Decode(bytes.NewReader(data[:n]))
				assert.Error(t, err, "cut after %d of %d bytes", n, len(data))
			}
		})
	}
}

func TestDecodeHostile(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":           {nil, ErrFormat},
		"text":              {[]byte("a picture"), ErrFormat},
		"huge":              {declaring(1_000_000, 1_000_000), ErrTooLarge},
		"wide":              {declaring(1<<30, 1), ErrTooLarge},
		"just beyond":       {declaring(8192, 8193), ErrTooLarge},
		"more than it has":  {declaring(8192, 8192), io.ErrUnexpectedEOF},
		"gif of 64k square": {append([]byte("GIF89a\xff\xff\xff\xff"), 0, 0, 0, 0x2c, 0), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(bytes.NewReader(c.data))
			runtime.ReadMemStats(&after)
			assert.ErrorIs(t, err, c.want)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "bytes allocated")
		})
	}
}

// endless is a reader that never ends.
type endless struct{ first []byte }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.first)
	e.first = e.first[n:]
	clear(p[n:])
	return len(p), nil
}

func TestDecodeEndless(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 128 MiB")
	}
	_, err := Decode(&endless{declaring(16, 16)})
	assert.ErrorIs(t, err, ErrTooLarge)
}

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "mark.png")
	require.NoError(t, os.WriteFile(path, encoded(t)["png"], 0o600))
	picture, err := Open(path)
	require.NoError(t, err)
	assert.Equal(t, color.NRGBAModel, picture.ColorModel())

	_, err = Open(filepath.Join(folder, "missing.png"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	_, err = Open(path)
	assert.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, path, "which file")
}

// seeds returns the small ones of the pictures in testdata: the fuzzing engine stands
// still over large ones.
func seeds(f *testing.F) (files [][]byte) {
	paths, err := filepath.Glob("testdata/*/*")
	require.NoError(f, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(data) <= 600 {
			files = append(files, data)
		}
	}
	require.NotEmpty(f, files)
	return files
}

// costly reports whether a file declares more pixels than fuzzing has time for.
func costly(data []byte) bool {
	file := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	format, err := formatOf(file)
	if err != nil {
		return false
	}
	config, err := format.config(file)
	return err == nil && checkSize(config.Width, config.Height) == nil && config.Width*config.Height > 1<<16
}

// FuzzDecode looks for pictures that make Decode or what follows it fail in
// another way than by an error.
func FuzzDecode(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Add(declaring(4096, 4096))
	f.Add(declaring(1, 1<<31-1))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"))
	f.Add([]byte("\xff\xd8\xff\xd9"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if costly(data) {
			return
		}
		picture, err := Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		require.Equal(t, image.Point{}, picture.Bounds().Min)
		for _, paper := range []bool{false, true} {
			f, err := Solid{Picture: picture, Fit: Stretch, Paper: paper}.film(9, 17)
			if err != nil {
				continue
			}
			for i, ink := range f.ink {
				require.True(t, ink >= -1e-6 && ink <= 1-f.keep[i/3]+1e-6, "ink %v, keep %v", ink, f.keep[i/3])
			}
		}
	})
}
