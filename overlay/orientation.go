package overlay

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// orientation is how EXIF says a picture stands: from 5 on with rows and columns
// exchanged, and mirrored as turned.source says.
//
// https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf, 4.6.4 A
type orientation uint16

// turn returns the picture as it is to be seen. Nothing is copied.
func (o orientation) turn(picture image.Image) image.Image {
	if o < 2 || o > 8 {
		return picture
	}
	return turned{picture, o}
}

// turned is a picture that does not lie in memory as it is seen.
type turned struct {
	image.Image
	orientation orientation
}

// Bounds has the picture's sides exchanged where it is laid down.
func (t turned) Bounds() image.Rectangle {
	size := t.Image.Bounds().Size()
	if t.orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	return image.Rectangle{Max: size}
}

// source returns where the pixel at (x, y) lies.
func (t turned) source(x, y int) (int, int) {
	b := t.Image.Bounds()
	if t.orientation >= 5 {
		x, y = y, x
	}
	switch t.orientation {
	case 2, 3, 7, 8:
		x = b.Dx() - 1 - x
	}
	switch t.orientation {
	case 3, 4, 6, 7:
		y = b.Dy() - 1 - y
	}
	return b.Min.X + x, b.Min.Y + y
}

// At is image.Image's.
func (t turned) At(x, y int) color.Color { return t.Image.At(t.source(x, y)) }

// RGBA64At is image.RGBA64Image's, which draws without an allocation per pixel.
func (t turned) RGBA64At(x, y int) color.RGBA64 {
	if p, ok := t.Image.(image.RGBA64Image); ok {
		return p.RGBA64At(t.source(x, y))
	}
	return color.RGBA64Model.Convert(t.At(x, y)).(color.RGBA64)
}

// Opaque reports whether no pixel is transparent, as far as the picture knows.
func (t turned) Opaque() bool {
	p, ok := t.Image.(interface{ Opaque() bool })
	return ok && p.Opaque()
}

// orientation finds a file's orientation; where it says nothing sound, the value stands
// for none.
func (f format) orientation(file *io.SectionReader) orientation {
	if f.exif == nil {
		return 0
	}
	if exif := f.exif(file); exif != nil {
		return orientation(tagIn(exif, 0x0112))
	}
	return 0
}

// tagIn returns a tag of one short number from the first directory of a TIFF, which
// EXIF is; 0 where there is none.
func tagIn(file io.ReaderAt, tag uint16) uint16 {
	const short = 3
	head := bytesAt(file, 0, 8)
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(head, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(head, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(head[4:]))
	count := bytesAt(file, at, 2)
	if count == nil {
		return 0
	}
	for range order.Uint16(count) {
		entry := bytesAt(file, at+2, 12)
		if entry == nil {
			break
		}
		if order.Uint16(entry) == tag && order.Uint16(entry[2:]) == short {
			return order.Uint16(entry[8:])
		}
		at += 12
	}
	return 0
}

// bytesAt returns n bytes, nil where there are fewer.
func bytesAt(r io.ReaderAt, at int64, n int) []byte {
	b := make([]byte, n)
	if _, err := r.ReadAt(b, at); err != nil {
		return nil
	}
	return b
}

// maxParts bounds the segments or chunks of a file that are looked at for EXIF.
const maxParts = 1 << 16

func exifInTIFF(file *io.SectionReader) io.ReaderAt { return file }

// exifInJPEG looks into the segments before the first scan.
func exifInJPEG(file *io.SectionReader) io.ReaderAt {
	const app1, startOfScan, endOfImage = 0xe1, 0xda, 0xd9
	at := int64(2)
	for range maxParts {
		head := bytesAt(file, at, 4)
		if head == nil || head[0] != 0xff || head[1] == startOfScan || head[1] == endOfImage {
			return nil
		}
		if head[1] == 0xff { // fills
			at++
			continue
		}
		size := int64(binary.BigEndian.Uint16(head[2:]))
		if head[1] == app1 && bytes.Equal(bytesAt(file, at+4, 6), exifMark) {
			return io.NewSectionReader(file, at+10, size-8)
		}
		at += 2 + size
	}
	return nil
}

// exifMark stands before EXIF in JPEG, and where writers know no better.
var exifMark = []byte("Exif\x00\x00")

func exifInPNG(file *io.SectionReader) io.ReaderAt {
	const sizes = 4 + 4 + 4 // length and name, and the check sum behind
	return exifChunk(file, 8, func(head []byte) (string, int64, int64) {
		size := int64(binary.BigEndian.Uint32(head))
		return string(head[4:]), size, size + sizes
	}, "eXIf")
}

func exifInWebP(file *io.SectionReader) io.ReaderAt {
	return exifChunk(file, 12, func(head []byte) (string, int64, int64) {
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		return string(head[:4]), size, 8 + size + size&1
	}, "EXIF")
}

// exifChunk walks over chunks, each of which begins with 8 bytes that read parses to its
// name, the size of its data and the way to the next one.
func exifChunk(file *io.SectionReader, at int64, read func(head []byte) (name string, size, step int64), wanted string) io.ReaderAt {
	for range maxParts {
		head := bytesAt(file, at, 8)
		if head == nil {
			return nil
		}
		name, size, step := read(head)
		if name == wanted {
			data := io.NewSectionReader(file, at+8, size)
			if mark := int64(len(exifMark)); bytes.Equal(bytesAt(data, 0, int(mark)), exifMark) {
				return io.NewSectionReader(data, mark, size-mark)
			}
			return data
		}
		at += step
	}
	return nil
}
