package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
)

// Limits of pictures that are read, drawn or laid over images. They are far above what
// a verifier looks at and keep a hostile file from taking the memory.
const (
	MaxPixels = 1 << 24 // 4096 x 4096
	MaxBytes  = 1 << 27 // of a file
)

var (
	// ErrTooLarge is wrapped by errors about pictures beyond MaxPixels or MaxBytes.
	ErrTooLarge = errors.New("too large")
	// ErrEmpty is wrapped by errors about pictures without pixels.
	ErrEmpty = errors.New("empty")
	// ErrFormat is wrapped by errors about files that are no PNG, JPEG or GIF.
	ErrFormat = errors.New("unknown picture format")
)

// Open reads a picture file as Decode does.
func Open(path string) (image.Image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	defer file.Close()
	picture, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("overlay: %s: %w", path, err)
	}
	return picture, nil
}

// format is one that Decode reads. The list is explicit, so that what the
// program registers with package image does not widen what strangers can send.
type format struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func formats() []format {
	return []format{
		{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
		{"\xff\xd8", jpeg.DecodeConfig, jpeg.Decode},
		{"GIF8", gif.DecodeConfig, gif.Decode},
	}
}

// Decode reads a PNG, a JPEG or the first frame of a GIF. EXIF orientation is not
// applied. The size that a file declares is checked against MaxPixels and against
// the file's own length before memory is taken for it.
func Decode(r io.Reader) (image.Image, error) {
	picture, err := decode(r)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	return picture, nil
}

func decode(r io.Reader) (image.Image, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading a picture: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("a picture file of more than %d bytes is %w", MaxBytes, ErrTooLarge)
	}
	for _, f := range formats() {
		if bytes.HasPrefix(data, []byte(f.magic)) {
			return f.read(data)
		}
	}
	return nil, fmt.Errorf("%w, neither PNG, JPEG nor GIF", ErrFormat)
}

// densest is more pixels than any of the formats can pack into one byte: PNG
// reaches 8256 with one bit per pixel and deflate at its best.
const densest = 1 << 14

func (f format) read(data []byte) (image.Image, error) {
	config, err := f.config(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading a picture's header: %w", err)
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	if config.Width*config.Height/densest > len(data) {
		return nil, fmt.Errorf("%d bytes cannot hold %dx%d pixels: %w",
			len(data), config.Width, config.Height, io.ErrUnexpectedEOF)
	}
	picture, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decoding a picture: %w", err)
	}
	return picture, nil
}

// checkSize says whether a picture's declared size can be worked with.
func checkSize(width, height int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("a picture of %dx%d pixels is %w", width, height, ErrEmpty)
	}
	if width > MaxPixels/height {
		return fmt.Errorf("a picture of %dx%d pixels is %w: at most %d pixels", width, height, ErrTooLarge, MaxPixels)
	}
	return nil
}
