package pocket_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// landscape is a plain drawing: a sky that is paler near the horizon, and a meadow that is darker near us.
func landscape(horizon int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		row := color.NRGBA{uint8(90 + 120*y/horizon), uint8(150 + 70*y/horizon), 240, 255}
		if y >= horizon {
			near := (y - horizon) * 100 / (64 - horizon)
			row = color.NRGBA{uint8(130 - 70*near/100), uint8(180 - 80*near/100), uint8(90 - 50*near/100), 255}
		}
		draw.Draw(img, image.Rect(0, y, 64, y+1), image.NewUniform(row), image.Point{}, draw.Src)
	}
	return img
}

func ExampleOpen() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	v, err := pocket.Open(ctx, rt, pocket.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	upper := dualprocess.Question{Text: "Is the horizon in the upper half of the picture?", Answer: "Yes"}
	p, err := dualprocess.Score(ctx, rt, v, []dualprocess.Question{upper}, landscape(16), landscape(48))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("horizon at a quarter of the height:", p[0][0] > 0.5)
	fmt.Println("at three quarters:", p[1][0] > 0.5)
	// Output:
	// horizon at a quarter of the height: true
	// at three quarters: false
}
