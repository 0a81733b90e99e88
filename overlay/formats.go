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

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// format is one that Decode reads.
type format struct {
	magic  string // a file's first bytes; ? is any
	config func(io.Reader) (image.Config, error)
	decode func(*io.SectionReader) (picture image.Image, lossy bool, err error)
	exif   func(file *io.SectionReader) io.ReaderAt // where EXIF lies; nil = nowhere, and so may the result be

	// densest is more pixels than the format can pack into one byte; 0 = as many as it
	// likes. PNG reaches 8256 with one bit per pixel and deflate at its best.
	densest int64
}

// formats are listed here, so that what the program registers with package image does
// not widen what strangers can send.
func formats() []format {
	return []format{
		{"\x89PNG\r\n\x1a\n", png.DecodeConfig, lossless(png.Decode), exifInPNG, 1 << 14},
		{"\xff\xd8", jpeg.DecodeConfig, decodeJPEG, exifInJPEG, 1 << 14},
		{"GIF8", gif.DecodeConfig, lossless(gif.Decode), nil, 0},
		{"RIFF????WEBP", configOfWebP, decodeWebP, exifInWebP, 0},
		{"BM", bmp.DecodeConfig, lossless(bmp.Decode), nil, 8},
		{"II*\x00", tiff.DecodeConfig, decodeTIFF, exifInTIFF, 0},
		{"MM\x00*", tiff.DecodeConfig, decodeTIFF, exifInTIFF, 0},
	}
}

// formatOf finds a file's format by its first bytes.
func formatOf(file *io.SectionReader) (format, error) {
	start := make([]byte, 12)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return format{}, fmt.Errorf("reading a picture: %w", err)
	}
	start = start[:n]
	for _, f := range formats() {
		if matches(start, f.magic) {
			return f, nil
		}
	}
	if matches(start, "????ftyp") {
		return format{}, fmt.Errorf("%w: AVIF, HEIC or a film, which are not read; save it as PNG", ErrFormat)
	}
	return format{}, fmt.Errorf("%w, none of PNG, JPEG, GIF, WebP, BMP and TIFF", ErrFormat)
}

func matches(start []byte, magic string) bool {
	if len(start) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != start[i] {
			return false
		}
	}
	return true
}

func lossless(decode func(io.Reader) (image.Image, error)) func(*io.SectionReader) (image.Image, bool, error) {
	return func(file *io.SectionReader) (image.Image, bool, error) {
		picture, err := decode(file)
		return picture, false, err
	}
}

func decodeJPEG(file *io.SectionReader) (image.Image, bool, error) {
	picture, err := jpeg.Decode(file)
	return picture, true, err
}

// decodeTIFF reads a TIFF. A fax (CCITT) whose black is zero comes as a negative from
// package tiff, which takes its codes for colours; all others take them for bits.
func decodeTIFF(file *io.SectionReader) (image.Image, bool, error) {
	const compression, photometric, blackIsZero = 0x0103, 0x0106, 1
	picture, err := tiff.Decode(file)
	code := tagIn(file, compression)
	if p, ok := picture.(*image.Gray); ok && code >= 2 && code <= 4 && tagIn(file, photometric) == blackIsZero {
		for i, v := range p.Pix {
			p.Pix[i] = ^v
		}
	}
	return picture, false, err
}

// configOfWebP names what the decoder does not read and calls an invalid format.
func configOfWebP(r io.Reader) (image.Config, error) {
	var head bytes.Buffer
	config, err := webp.DecodeConfig(io.TeeReader(r, &head))
	const flags, animated = 20, 1 << 1 // of the chunk VP8X, which comes first
	if b := head.Bytes(); len(b) > flags && string(b[12:16]) == "VP8X" && b[flags]&animated != 0 {
		return config, fmt.Errorf("%w: an animated WebP, which is not read; save one frame", ErrFormat)
	}
	return config, err
}

// decodeWebP reads a WebP, lossy or not.
func decodeWebP(file *io.SectionReader) (image.Image, bool, error) {
	picture, err := webp.Decode(file)
	switch p := picture.(type) {
	case *image.YCbCr:
		return fromVideo(p, nil, 0), true, err
	case *image.NYCbCrA:
		return fromVideo(&p.YCbCr, p.A, p.AStride), true, err
	}
	return picture, false, err
}

// fromVideo gives a lossy WebP its colours. Package webp hands out the samples of VP8 as
// if they were those of JPEG, but black is 16 there, as in video, and white 235. The
// fixed point is that of libwebp. Without alpha the picture is opaque.
//
// https://github.com/webmproject/libwebp/blob/v1.5.0/src/dsp/yuv.h
func fromVideo(p *image.YCbCr, alpha []uint8, stride int) *image.NRGBA {
	size := p.Rect.Size()
	out := image.NewNRGBA(image.Rectangle{Max: size})
	clamp := func(v int) uint8 { return uint8(max(0, min(v>>6, 255))) }
	for y := range size.Y {
		for x := range size.X {
			c := p.COffset(p.Rect.Min.X+x, p.Rect.Min.Y+y)
			luma := int(p.Y[y*p.YStride+x]) * 19077 >> 8
			u, v := int(p.Cb[c]), int(p.Cr[c])
			pixel := out.Pix[y*out.Stride+4*x:][:4]
			pixel[0] = clamp(luma + v*26149>>8 - 14234)
			pixel[1] = clamp(luma - u*6419>>8 - v*13320>>8 + 8708)
			pixel[2] = clamp(luma + u*33050>>8 - 17685)
			pixel[3] = 255
			if alpha != nil {
				pixel[3] = alpha[y*stride+x]
			}
		}
	}
	return out
}

// whiten makes pixels white of which no channel is further below 255 than tolerance.
func whiten(picture image.Image, tolerance int) image.Image {
	out := straight(picture)
	for i := 0; i < len(out.Pix); i += 4 {
		pixel := out.Pix[i : i+3]
		if int(min(pixel[0], pixel[1], pixel[2])) >= 255-tolerance {
			pixel[0], pixel[1], pixel[2] = 255, 255, 255
		}
	}
	return out
}

// straight returns a picture that was just decoded in 8 bits, not premultiplied.
func straight(picture image.Image) *image.NRGBA {
	if p, ok := picture.(*image.NRGBA); ok {
		return p
	}
	b := picture.Bounds()
	if p, ok := picture.(interface{ Opaque() bool }); ok && p.Opaque() {
		flat := premultiplied(picture, b, false)
		return &image.NRGBA{Pix: flat.Pix, Stride: flat.Stride, Rect: flat.Rect}
	}
	out := image.NewNRGBA(image.Rectangle{Max: b.Size()})
	for y := range b.Dy() {
		for x := range b.Dx() {
			out.Set(x, y, picture.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return out
}
