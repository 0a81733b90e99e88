package remote

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"reflect"

	"golang.org/x/image/draw"
)

// maxPicture bounds a PNG file, in bytes; OpenAI takes no larger ones.
const maxPicture = 20 << 20

// dataURL returns the picture as the URL of a PNG file, laid over white where it
// is transparent and scaled down so that no side is longer than maxSide pixels;
// a negative maxSide leaves the size as it is.
func dataURL(img image.Image, maxSide int) (string, error) {
	if v := reflect.ValueOf(img); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() || img.Bounds().Empty() {
		return "", fmt.Errorf("%w: it is nil or empty", ErrPicture)
	}
	size := img.Bounds().Size()
	scaled := size
	if longer := max(size.X, size.Y); maxSide > 0 && longer > maxSide {
		scaled.X = max(1, (size.X*maxSide+longer/2)/longer)
		scaled.Y = max(1, (size.Y*maxSide+longer/2)/longer)
	}
	opaque := image.NewRGBA(image.Rectangle{Max: scaled})
	draw.Draw(opaque, opaque.Rect, image.White, image.Point{}, draw.Src)
	if scaled == size {
		draw.Draw(opaque, opaque.Rect, img, img.Bounds().Min, draw.Over)
	} else {
		draw.CatmullRom.Scale(opaque, opaque.Rect, img, img.Bounds(), draw.Over, nil)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, opaque); err != nil {
		return "", fmt.Errorf("%w: %w", ErrPicture, err)
	}
	if file.Len() > maxPicture {
		return "", fmt.Errorf("%w: %v makes a file of more than %d bytes; MaxSide scales it down", ErrPicture, scaled, maxPicture)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(file.Bytes()), nil
}
