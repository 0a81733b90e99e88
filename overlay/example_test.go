package overlay_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/overlay"
)

var (
	_ dualprocess.Overlay = overlay.Solid{}
	_ dualprocess.Overlay = overlay.Transparent{}
	_ overlay.Layer       = overlay.Solid{}
	_ overlay.Layer       = overlay.Transparent{}
)

// A question about a generated image and a red line over it.
func ExampleSolid() {
	line := overlay.HorizonLine{Row: 0.3}
	question := dualprocess.Question{
		Text:    "Is the horizon on the red line?",
		Answer:  "Yes",
		Overlay: overlay.Solid{Picture: line.Draw(512, 512)},
	}
	fmt.Println(question.Text)
	// Output: Is the horizon on the red line?
}

// Laying a palette over a picture to show what the verifier sees.
func ExampleBlend() {
	generated := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	draw.Draw(generated, generated.Rect, image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)

	strip := overlay.Palette{Colors: overlay.Pastel()}
	seen, err := overlay.Blend(generated, overlay.Solid{Picture: strip.Draw(64, 64)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(seen.At(32, 20), seen.At(5, 60))
	// Output: {128 128 128 255} {255 200 221 255}
}

// The same points at two sizes.
func ExamplePoints() {
	points := overlay.Points{A: overlay.Point{X: 0.25, Y: 0.5}, B: overlay.Point{X: 0.75, Y: 0.5}}
	small, large := points.Draw(64, 64), points.Draw(1024, 1024)
	fmt.Println(small.At(16, 32), large.At(256, 512))
	// Output: {230 0 0 255} {230 0 0 255}
}

// A sketch in the manner of the paper's Mondrian: a field below the horizon, and
// a tree.
func ExampleComposition() {
	sketch := overlay.Composition{
		Areas: []overlay.Area{{
			Min: overlay.Point{X: 0, Y: 0.55}, Max: overlay.Point{X: 1, Y: 1},
			Color: color.NRGBA{R: 235, G: 190, B: 40, A: 255}, Note: "this region is a wide field",
		}},
		Lines: []overlay.Line{{
			From: overlay.Point{X: 0.3, Y: 0.2}, To: overlay.Point{X: 0.3, Y: 0.7},
			Note: "this line is a tree",
		}},
	}
	fmt.Println(sketch.Draw(512, 512).At(400, 450))
	// Output: {235 190 40 255}
}
