package smolvlm2

import (
	"errors"
	"io/fs"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// pictureConfig says how pictures are processed: preprocessor_config.json.
type pictureConfig struct {
	Size      edge `json:"size"`               // that a picture is first brought to
	Tile      edge `json:"max_image_size"`     // of the squares that the tower looks at
	Splitting any  `json:"do_image_splitting"` // Options.Split decides
	Grid      any  `json:"return_row_col_info"`
	Video     any  `json:"video_sampling"`
	hf.PictureConfig
}

// edge is the longer one of a picture, in pixels.
type edge struct {
	Longest int `json:"longest_edge"`
}

// processorFile is processor_config.json.
type processorFile struct {
	ImageTokens int `json:"image_seq_len"` // of each tile
	Video       any `json:"video_processor"`
	Class       any `json:"processor_class"`
	Template    any `json:"chat_template"`
	AutoMap     any `json:"auto_map"`
}

// longest is the longest edge that the processor makes: beyond it there would be
// another resize.
const longest = 4096

// readProcessor reads how pictures are brought to the tower, and compares it with
// config.json.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	half := []float64{0.5, 0.5, 0.5}
	c.Picture = pictureConfig{Size: edge{4 * 364}, Tile: edge{364}, PictureConfig: hf.PictureConfig{ // what transformers fills in
		Resample: hf.Lanczos, RescaleFactor: 1. / 255, Mean: half, Std: half,
	}}
	p := processorFile{ImageTokens: 169}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &p)
	if err != nil {
		return err
	}
	if err := c.Picture.check(c.Vision.PatchSize * c.Square); err != nil {
		return hf.Within(file, err)
	}
	return errors.Join(
		hf.Within(file, hf.Check(c.patches()%c.Square == 0, "max_image_size has %d patches of %d pixels a side, no multiple of scale_factor %d",
			c.patches(), c.Vision.PatchSize, c.Square)),
		hf.Within("processor_config.json", hf.Equal("image_seq_len", p.ImageTokens, "what max_image_size and scale_factor make of it", c.vectors())),
	)
}

func (c pictureConfig) check(least int) error {
	return errors.Join(
		c.PictureConfig.Check(hf.Lanczos),
		hf.CheckSizes(
			hf.Size{Name: "size.longest_edge", Value: c.Size.Longest, Limit: longest},
			hf.Size{Name: "max_image_size.longest_edge", Value: c.Tile.Longest, Limit: longest},
		),
		hf.Check(c.Tile.Longest >= least, "max_image_size.longest_edge is %d, less than a square of patches, %d", c.Tile.Longest, least),
	)
}

// patches is how many a tile has along a side; what is left over is not seen.
func (c modelConfig) patches() int { return c.Picture.Tile.Longest / c.Vision.PatchSize }

// vectors is how many a tile becomes.
func (c modelConfig) vectors() int {
	side := c.patches() / c.Square
	return side * side
}

// fit is the size that a picture is first brought to, be it smaller or larger: the
// other edge keeps the ratio but for fractions, and is even.
func (c pictureConfig) fit(picture vision.Size) vision.Size {
	even := func(x float64) int { return max(int(x)+int(x)%2, 1) }
	long, ratio := c.Size.Longest, float64(picture.Width)/float64(picture.Height)
	if picture.Width >= picture.Height {
		return vision.Size{Height: even(float64(long) / ratio), Width: long}
	}
	return vision.Size{Height: long, Width: even(float64(long) * ratio)}
}

// cover is the size of whole tiles that a picture of a size is enlarged to. The ratio
// is not always kept.
func (c pictureConfig) cover(size vision.Size) vision.Size {
	tile, ratio := c.Tile.Longest, float64(size.Width)/float64(size.Height)
	up := func(x int) int { return (x + tile - 1) / tile * tile }
	if size.Width >= size.Height {
		width := up(size.Width)
		return vision.Size{Height: up(int(float64(width) / ratio)), Width: width}
	}
	height := up(size.Height)
	return vision.Size{Height: height, Width: up(int(float64(height) * ratio))}
}

// view is how a picture is looked at.
type view struct {
	steps []vision.Size // that it is brought to, one after the other
	grid  vision.Size   // of the tiles that it is then cut into; none where it is not split
}

// tiles is the number of squares that the tower looks at, the whole picture included.
func (v view) tiles() int { return v.grid.Area() + 1 }

// view of a picture of a size. One that fits into a tile is not split.
// Source: transformers v5.0.0, SmolVLMImageProcessorFast.
func (m *network) view(picture vision.Size) view {
	c := m.config.Picture
	size := c.fit(picture)
	if m.split {
		whole := c.cover(size)
		grid := vision.Size{Height: whole.Height / c.Tile.Longest, Width: whole.Width / c.Tile.Longest}
		if grid.Area() > 1 {
			return view{[]vision.Size{size, whole}, grid}
		}
	}
	return view{steps: []vision.Size{size}}
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads:
// the tiles of each, row by row, and then the whole of it, [B·tiles, side, side, 3].
func (m *network) process(image *Node) *Node {
	d, c := image.Shape().Dimensions, m.config.Picture
	v, side := m.view(vision.Size{Height: d[1], Width: d[2]}), c.Tile.Longest
	filter := vision.Filter{Kernel: vision.Kernel(c.Resample), Antialias: true}
	x := vision.Limit(image)
	whole := vision.ResizeSteps(x, filter, append(v.steps, vision.Size{Height: side, Width: side})...)
	tiles := InsertAxes(whole, 1) // [B, tiles, side, side, 3]
	if v.grid.Area() > 0 {
		cut := vision.ResizeSteps(x, filter, v.steps...)
		cut = Reshape(cut, d[0], v.grid.Height, side, v.grid.Width, side, 3)
		cut = Reshape(TransposeAllAxes(cut, 0, 1, 3, 2, 4, 5), d[0], v.grid.Area(), side, side, 3)
		tiles = Concatenate([]*Node{cut, tiles}, 1)
	}
	return vision.Normalize(Reshape(tiles, d[0]*v.tiles(), side, side, 3), c.Mean, c.Std)
}
