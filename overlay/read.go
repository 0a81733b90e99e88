package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"io"
	"os"
)

// Limits of pictures that are read, drawn or laid over images. They are far above what
// a verifier looks at and keep a hostile file from taking the memory.
const (
	MaxPixels = 1 << 26 // 8192 x 8192, 64 megapixels
	MaxBytes  = 1 << 29 // of a file
)

var (
	// ErrTooLarge is wrapped by errors about pictures beyond MaxPixels or MaxBytes.
	ErrTooLarge = errors.New("too large")
	// ErrEmpty is wrapped by errors about pictures without pixels.
	ErrEmpty = errors.New("empty")
	// ErrFormat is wrapped by errors about files that are none of the pictures that
	// Decode reads.
	ErrFormat = errors.New("unknown picture format")
)

// Open reads a picture file as Decode does.
func Open(path string) (image.Image, error) { return Reader{}.Open(path) }

// Decode reads a picture: PNG, JPEG, GIF, WebP, BMP or TIFF. It stands as its EXIF
// orientation says. An animated GIF gives its first screen, with nothing where the first
// frame does not reach; an animated WebP is an error. Of the pages of a TIFF the first
// is read. Nearly white paper of JPEG and lossy WebP is white, as Reader.White says.
//
// The size that a file declares is checked against MaxPixels before memory is taken for
// it, and against the file's own length where the format has a limit. Reading and laying
// over images a picture of MaxPixels was measured to take 0.4 to 0.7 GB, and 1.6 to 2.2
// as a progressive JPEG: 6 to 32 bytes per pixel. A file is not held in memory; what
// comes from another kind of reader is, up to MaxBytes.
func Decode(r io.Reader) (image.Image, error) { return Reader{}.Decode(r) }

// Reader says how pictures are read. The zero value is what Open and Decode use.
type Reader struct {
	// White is the tolerance for white, which Solid takes for nothing: a pixel counts
	// as white, and becomes it, if none of its channels is more than White below 255.
	// JPEG and lossy WebP surround ink with blocks of paper that is not quite white and
	// would hide the image. 0 is 32 for these two, and none for all other pictures;
	// negative is none for all.
	//
	// 32 is measured on lines and circles in four colours, of quality 75 to 95 and every
	// chroma subsampling. Without it up to 7 % of the picture is hidden wrongly, with it
	// at most 0.4 %, beside the ink, and 0.1 % is lost, of its pale edges. A flat grey or
	// tint that is paler than 223 in every channel is lost, too: save that as PNG.
	White int
}

// whiteOfLossy is Reader.White for lossy formats by default.
const whiteOfLossy = 32

// Open reads a picture file as Decode does.
func (r Reader) Open(path string) (image.Image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	defer file.Close()
	picture, err := r.decode(file)
	if err != nil {
		return nil, fmt.Errorf("overlay: %s: %w", path, err)
	}
	return picture, nil
}

// Decode reads a picture as the function Decode does, with the reader's tolerance for
// white. The error wraps ErrFormat, ErrEmpty, ErrTooLarge or ErrOptions, or says what is
// wrong with the file.
func (r Reader) Decode(from io.Reader) (image.Image, error) {
	picture, err := r.decode(from)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	return picture, nil
}

func (r Reader) decode(from io.Reader) (image.Image, error) {
	if r.White > 255 {
		return nil, invalid("White", "%d is more than 255", r.White)
	}
	file, err := section(from)
	if err != nil {
		return nil, err
	}
	f, err := formatOf(file)
	if err != nil {
		return nil, err
	}
	picture, lossy, err := f.read(file)
	if err != nil {
		return nil, err
	}
	white := r.White
	if white == 0 && lossy {
		white = whiteOfLossy
	}
	if white > 0 {
		picture = whiten(picture, white)
	}
	return f.orientation(file).turn(picture), nil
}

// section returns what is read as a file that can be read again.
func section(from io.Reader) (*io.SectionReader, error) {
	tooLarge := fmt.Errorf("a picture file of more than %d bytes is %w", MaxBytes, ErrTooLarge)
	if file, ok := from.(*os.File); ok {
		info, err := file.Stat()
		if err != nil {
			return nil, fmt.Errorf("reading a picture: %w", err)
		}
		if info.Mode().IsRegular() { // no pipe, whose size is unknown
			if info.Size() > MaxBytes {
				return nil, tooLarge
			}
			start, err := file.Seek(0, io.SeekCurrent)
			return io.NewSectionReader(file, start, info.Size()-start), err
		}
	}
	data, err := io.ReadAll(io.LimitReader(from, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading a picture: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, tooLarge
	}
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), nil
}

// read decodes a file, and says whether pixels may have lost their colours.
func (f format) read(file *io.SectionReader) (picture image.Image, lossy bool, err error) {
	config, err := f.config(rewound(file))
	if err != nil {
		return nil, false, fmt.Errorf("reading a picture's header: %w", err)
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, false, err
	}
	if f.densest > 0 && int64(config.Width)*int64(config.Height)/f.densest > file.Size() {
		return nil, false, fmt.Errorf("%d bytes cannot hold %dx%d pixels: %w",
			file.Size(), config.Width, config.Height, io.ErrUnexpectedEOF)
	}
	picture, lossy, err = f.decode(rewound(file))
	if err != nil {
		return nil, false, fmt.Errorf("decoding a picture: %w", err)
	}
	return onScreen(picture, image.Rect(0, 0, config.Width, config.Height)), lossy, nil
}

// rewound returns the file from its start. It is a ReaderAt, too, which TIFF needs.
func rewound(file *io.SectionReader) *io.SectionReader {
	return io.NewSectionReader(file, 0, file.Size())
}

// onScreen returns a picture that fills its screen: the first frame of a GIF may be
// smaller, and nothing is around it then.
func onScreen(picture image.Image, screen image.Rectangle) image.Image {
	if picture.Bounds() == screen {
		return picture
	}
	out := image.NewNRGBA(screen)
	draw.Draw(out, picture.Bounds(), picture, picture.Bounds().Min, draw.Src)
	return out
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
