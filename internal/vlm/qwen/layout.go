package qwen

import (
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Layout is that of a picture brought to a size, for a tower that keeps so many
// numbers for the backward pass. A token of the picture stands, on the three axes of
// positions (m-rope), at its row and column at one time; the text that follows goes on
// after the greatest of them.
func (c Pictures) Layout(size vision.Size, imageToken, activations int) vlm.Layout {
	rows, cols := size.Height/c.Unit(), size.Width/c.Unit()
	l := vlm.Layout{Resized: size, Positions: make([][]int, 3), Next: max(rows, cols), Activations: activations}
	for row := range rows {
		for col := range cols {
			l.Tokens = append(l.Tokens, imageToken)
			for axis, at := range []int{0, row, col} {
				l.Positions[axis] = append(l.Positions[axis], at)
			}
		}
	}
	return l
}

// Places are row and column of each patch of a token, in the order of Pictures.Cut.
func Places(row, col, merge int) (places [][]float64) {
	for i := range merge {
		for j := range merge {
			places = append(places, []float64{float64(row*merge + i), float64(col*merge + j)})
		}
	}
	return places
}

// Rope is the rotary embedding of a tower, vision_config.rope_parameters; nil is what
// transformers fills in.
type Rope struct {
	Type  string   `json:"rope_type"`
	Theta *float64 `json:"rope_theta"`
}

// Base is that of the wavelengths.
func (r *Rope) Base() float64 {
	if r != nil && r.Theta != nil {
		return *r.Theta
	}
	return 10000
}

// Check names the field that makes no sense or is not supported.
func (r *Rope) Check() error {
	if r != nil {
		if err := hf.Require("rope_parameters: rope_type", r.Type, "axial", "default", ""); err != nil {
			return err
		}
	}
	theta := r.Base()
	return hf.Check(theta >= 1 && theta <= 1e12, "rope_parameters: rope_theta is %v", theta)
}
