// Package qwen is what Qwen's vision-language models share in looking at a picture:
// its size, its patches, and where they stand.
package qwen

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Patches are the sizes that the tower and the image processor have to agree in.
type Patches struct {
	Side   int // in pixels
	Frames int // that a patch covers; a still picture is repeated
	Merge  int // side, in patches, of what becomes one token
}

// Pictures says how pictures become patches. The fields are those of transformers'
// image processor.
type Pictures struct {
	MinPixels *int  `json:"min_pixels"` // of a resized picture; nil = Size
	MaxPixels *int  `json:"max_pixels"`
	Size      areas `json:"size"`
	Patch     int   `json:"patch_size"`
	Frames    int   `json:"temporal_patch_size"`
	Merge     int   `json:"merge_size"`
	hf.PictureConfig
}

// areas bounds the number of pixels. Two of the names that transformers gives the
// bounds speak of edges, but they are areas.
type areas struct {
	Shortest *int `json:"shortest_edge"`
	Longest  *int `json:"longest_edge"`
	Min      *int `json:"min_pixels"`
	Max      *int `json:"max_pixels"`
}

// ReadPictures reads the settings of the image processor, which have to agree with
// the tower's. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func ReadPictures(fsys fs.FS, tower Patches) (Pictures, error) {
	c := Pictures{ // what transformers fills in
		Patch: 14, Frames: 2, Merge: 2,
		PictureConfig: hf.PictureConfig{
			Resample: hf.Bicubic, RescaleFactor: 1. / 255,
			Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
		},
	}
	var others struct {
		Video    any `json:"video_processor"`
		Class    any `json:"processor_class"`
		Template any `json:"chat_template"` // see the models' Prompt
	}
	file, err := hf.ReadProcessor(fsys, &c, &others)
	if err != nil {
		return c, err
	}
	least := first(bound{"min_pixels", c.MinPixels}, bound{"size.shortest_edge", c.Size.Shortest}, bound{"size.min_pixels", c.Size.Min}, bound{"min_pixels", new(56 * 56)})
	most := first(bound{"max_pixels", c.MaxPixels}, bound{"size.longest_edge", c.Size.Longest}, bound{"size.max_pixels", c.Size.Max}, bound{"max_pixels", new(28 * 28 * 1280)})
	c.MinPixels, c.MaxPixels = least.pixels, most.pixels
	if err := errors.Join(c.check(tower), least.check(most)); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// bound of the number of pixels is a field that a file may have.
type bound struct {
	name   string
	pixels *int // nil where it does not
}

// first returns the first bound that is given.
func first(bounds ...bound) bound {
	return bounds[slices.IndexFunc(bounds, func(b bound) bool { return b.pixels != nil })]
}

// check compares the bounds below and above.
func (b bound) check(most bound) error {
	return errors.Join(
		hf.CheckSizes(
			hf.Size{Name: b.name, Value: *b.pixels, Limit: 1 << 28},
			hf.Size{Name: most.name, Value: *most.pixels, Limit: 1 << 28},
		),
		hf.Check(*b.pixels <= *most.pixels, "%s is %d, more than %s, %d", b.name, *b.pixels, most.name, *most.pixels),
	)
}

func (c Pictures) check(tower Patches) error {
	return errors.Join(
		c.PictureConfig.Check(),
		hf.Equal("patch_size", c.Patch, "patch_size in config.json", tower.Side),
		hf.Equal("temporal_patch_size", c.Frames, "temporal_patch_size in config.json", tower.Frames),
		hf.Equal("merge_size", c.Merge, "spatial_merge_size in config.json", tower.Merge),
	)
}

// Unit is the side of a token, in pixels.
func (c Pictures) Unit() int { return c.Patch * c.Merge }

// maxRatio is the largest ratio of sides that the models' processor accepts.
const maxRatio = 200

// Target returns the size that a picture is brought to: multiples of a token's
// side, as near as possible to the picture's ratio, with an area within bounds
// (transformers' smart_resize). The error wraps vlm.ErrPictureSize.
func (c Pictures) Target(picture vision.Size) (vision.Size, error) {
	if shortest := min(picture.Height, picture.Width); shortest < 1 || max(picture.Height, picture.Width) > maxRatio*shortest {
		return vision.Size{}, fmt.Errorf("%w: %s, want sides whose ratio is at most %d", vlm.ErrPictureSize, picture, maxRatio)
	}
	h, w, unit := float64(picture.Height), float64(picture.Width), float64(c.Unit())
	least, most := float64(*c.MinPixels), float64(*c.MaxPixels)
	rows, cols := math.RoundToEven(h/unit), math.RoundToEven(w/unit)
	switch area := rows * cols * unit * unit; {
	case area > most:
		shrink := math.Sqrt(h * w / most)
		rows, cols = max(1, math.Floor(h/shrink/unit)), max(1, math.Floor(w/shrink/unit))
	case area < least:
		grow := math.Sqrt(least / (h * w))
		rows, cols = math.Ceil(h*grow/unit), math.Ceil(w*grow/unit)
	}
	return vision.Size{Height: int(rows * unit), Width: int(cols * unit)}, nil
}

// Process maps pictures [B, H, W, 3] to the patches that a tower reads, as Cut has them.
func (c Pictures) Process(x *Node) *Node {
	d := x.Shape().Dimensions
	size, err := c.Target(vision.Size{Height: d[1], Width: d[2]})
	if err != nil {
		panic(err)
	}
	return c.Cut(vision.Process(x, size, c.PictureConfig))
}

// Cut cuts pictures [B, H, W, 3] into [B, R, C, M, 3·frames·patch·patch], for R rows
// and C columns of tokens of M patches each: the patches of a token, rows first, each
// seen in as many frames, all equal, as a video would have.
func (c Pictures) Cut(x *Node) *Node {
	d, m, p := x.Shape().Dimensions, c.Merge, c.Patch
	rows, cols := d[1]/(m*p), d[2]/(m*p)
	x = Reshape(x, d[0], rows, m, p, cols, m, p, d[3])
	x = TransposeAllAxes(x, 0, 1, 4, 2, 5, 7, 3, 6) // [B, R, C, m, m, 3, p, p]
	x = Reshape(x, d[0], rows, cols, m*m, d[3], 1, p*p)
	x = BroadcastToDims(x, d[0], rows, cols, m*m, d[3], c.Frames, p*p)
	return Reshape(x, d[0], rows, cols, m*m, -1)
}
