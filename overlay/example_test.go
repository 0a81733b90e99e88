package overlay_test

import (
	"errors"
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
	_ dualprocess.Overlay = overlay.Stack{}
	_ overlay.Layer       = overlay.Solid{}
	_ overlay.Layer       = overlay.Transparent{}
	_ overlay.Layer       = overlay.Stack{}

	_ overlay.Picture = image.Image(nil)
	_ overlay.Drawer  = overlay.HorizonLine{}
	_ overlay.Drawer  = overlay.LineSample{}
	_ overlay.Drawer  = overlay.Palette{}
	_ overlay.Drawer  = overlay.Points{}
	_ overlay.Drawer  = overlay.Composition{}
)

// grey is what a generator that has not learnt anything makes.
func grey(width, height int) image.Image {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(picture, picture.Rect, image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	return picture
}

// A question about a generated image and a red line over it. The line is drawn at
// the size of the images.
func ExampleSolid() {
	question := dualprocess.Question{
		Text:    "Is the horizon on the red line?",
		Answer:  "Yes",
		Overlay: overlay.Solid{Picture: overlay.HorizonLine{Row: 0.25, Width: 4}},
	}
	for _, size := range []int{64, 512} {
		seen, err := question.Overlay.(overlay.Layer).Over(grey(size, size))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(question.Text, seen.At(size*9/16, size/4), seen.At(size*9/16, size/2))
	}
	// Output:
	// Is the horizon on the red line? {230 0 0 255} {128 128 128 255}
	// Is the horizon on the red line? {230 0 0 255} {128 128 128 255}
}

// A line over a faint sketch of one's own: the first overlay is lowest.
func ExampleStack() {
	sketch := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	draw.Draw(sketch, sketch.Rect, image.Black, image.Point{}, draw.Src)

	both := overlay.Stack{
		overlay.Transparent{Picture: sketch, Opacity: 0.25},
		overlay.Solid{Picture: overlay.HorizonLine{Row: 0.25, Width: 4}},
	}
	seen, err := both.Over(grey(64, 64))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(seen.At(36, 16), seen.At(36, 32))
	// Output: {230 0 0 255} {96 96 96 255}
}

// A square picture over a wide image: nothing is distorted unless asked for.
func ExampleFit() {
	square := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	draw.Draw(square, square.Rect, image.NewUniform(color.NRGBA{B: 200, A: 255}), image.Point{}, draw.Src)
	wide := grey(192, 64)

	_, err := overlay.Blend(wide, overlay.Solid{Picture: square})
	fmt.Println(errors.Is(err, overlay.ErrOptions))
	for _, fit := range []overlay.Fit{overlay.Contain, overlay.Cover} {
		seen, err := overlay.Blend(wide, overlay.Solid{Picture: square, Fit: fit})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(seen.At(10, 32), seen.At(96, 32))
	}
	// Output:
	// true
	// {128 128 128 255} {0 0 200 255}
	// {0 0 200 255} {0 0 200 255}
}

// Laying a palette over a picture to show what the verifier sees.
func ExampleBlend() {
	strip := overlay.Palette{Colors: overlay.Pastel()}
	seen, err := overlay.Blend(grey(64, 64), overlay.Solid{Picture: strip})
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
	for _, size := range []int{64, 1024} {
		picture, err := points.Draw(size, size)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(picture.At(size/4, size/2))
	}
	// Output:
	// {230 0 0 255}
	// {230 0 0 255}
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
	picture, err := sketch.Draw(512, 512)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(picture.At(400, 450))
	// Output: {235 190 40 255}
}
