package idefics2

import (
	"errors"
	"io/fs"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// pictureConfig says how pictures are processed: preprocessor_config.json.
type pictureConfig struct {
	Size      *sizeRule `json:"size"`
	Splitting any       `json:"do_image_splitting"` // Options.Split decides
	hf.PictureConfig
}

// sizeRule bounds both edges of a picture, or names its height and width.
type sizeRule struct {
	Shortest int `json:"shortest_edge"`
	Longest  int `json:"longest_edge"`
	Height   int `json:"height"`
	Width    int `json:"width"`
}

// processorFile is processor_config.json.
type processorFile struct {
	ImageTokens int `json:"image_seq_len"`
	Class       any `json:"processor_class"`
	Template    any `json:"chat_template"`
	AutoMap     any `json:"auto_map"`
}

// readProcessor reads how pictures are brought to the tower.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	half := []float64{0.5, 0.5, 0.5}
	c.Picture = pictureConfig{PictureConfig: hf.PictureConfig{ // what transformers fills in
		Resample: hf.Bilinear, RescaleFactor: 1. / 255, Mean: half, Std: half,
	}}
	p := processorFile{ImageTokens: 64}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &p)
	if err != nil {
		return err
	}
	if c.Picture.Size == nil {
		c.Picture.Size = &sizeRule{Shortest: 378, Longest: 980}
	}
	return errors.Join(
		hf.Within(file, c.Picture.check()),
		hf.Within("processor_config.json", hf.Equal("image_seq_len", p.ImageTokens, "resampler_n_latents in config.json", c.Resampler.Latents)),
	)
}

func (c pictureConfig) check() error {
	s := *c.Size
	edges := []hf.Size{{Name: "size.shortest_edge", Value: s.Shortest}, {Name: "size.longest_edge", Value: s.Longest}}
	if s.fixed() {
		edges = []hf.Size{{Name: "size.height", Value: s.Height}, {Name: "size.width", Value: s.Width}}
	}
	for i := range edges {
		edges[i].Limit = 1 << 14
	}
	return errors.Join(c.PictureConfig.Check(), hf.CheckSizes(edges...))
}

// fixed says that all pictures are brought to one height and width.
func (s sizeRule) fixed() bool { return s.Shortest == 0 && s.Longest == 0 }

// target is the size that a picture is brought to: the longest edge down to its
// bound, then each edge by itself up to the other. The shape is not always kept.
func (s sizeRule) target(picture vision.Size) vision.Size {
	if s.fixed() {
		return vision.Size{Height: s.Height, Width: s.Width}
	}
	h, w := picture.Height, picture.Width
	ratio := float64(w) / float64(h)
	switch {
	case w >= h && w > s.Longest:
		h, w = int(float64(s.Longest)/ratio), s.Longest
	case h > w && h > s.Longest:
		h, w = s.Longest, int(float64(s.Longest)*ratio)
	}
	return vision.Size{Height: max(h, s.Shortest), Width: max(w, s.Shortest)}
}

// target is the size in which the tower looks at a picture. The paper's reference
// leaves pictures as large as they are, unless the folder names one size for all.
func (m *network) target(picture vision.Size) vision.Size {
	if rule := m.config.Picture.Size; !m.paper || rule.fixed() {
		return rule.target(picture)
	}
	return picture
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
func (m *network) process(image *Node) *Node {
	d := image.Shape().Dimensions
	size := m.target(vision.Size{Height: d[1], Width: d[2]})
	if m.paper {
		return vision.ProcessPaper(image, size, m.config.Picture.PictureConfig)
	}
	return vision.Process(image, size, m.config.Picture.PictureConfig)
}

// grid is the number of patches that the tower makes of a picture, or of a part;
// what is left over at the right and the bottom is not seen.
func (m *network) grid(picture vision.Size) vision.Size {
	size, patch := m.target(picture), m.config.Vision.PatchSize
	return vision.Size{Height: size.Height / patch, Width: size.Width / patch}
}
