package clip

import (
	"context"
	"fmt"
	"image"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Score returns how well a picture fits the caption q.Text, as the package's
// documentation says, in [0, 1]. The wanted answer is Yes, that it fits; or No, for
// one less that number. The suffix of a question has no meaning to CLIP and is left
// out. Captions of more than 77 tokens are cut, as by torchmetrics. Errors wrap one of
// the package's, dualprocess.ErrTask for another answer, and dualprocess.ErrNotFinite.
func (m *Model) Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	answer := strings.ToLower(strings.TrimSpace(q.Answer))
	if answer != "yes" && answer != "no" {
		return 0, fmt.Errorf("%s: score: %w: Answer: must be Yes or No, not %q", name, dualprocess.ErrTask, q.Answer)
	}
	cosine, err := m.Cosine(ctx, img, q.Text)
	if err != nil {
		return 0, err
	}
	score := min(max(cosine, 0), 1)
	if answer == "no" {
		score = 1 - score
	}
	return score, nil
}

// Cosine returns the cosine of the angle between the vectors of a picture and a
// caption, in [-1, 1] but for rounding. Its errors are those of Score.
func (m *Model) Cosine(ctx context.Context, img image.Image, caption string) (float64, error) {
	cosine, err := m.cosine(ctx, img, caption)
	if err != nil {
		return 0, fmt.Errorf("%s: score: %w", name, err)
	}
	return cosine, nil
}

func (m *Model) cosine(ctx context.Context, img image.Image, caption string) (float64, error) {
	if err := vlm.CheckPicture(ctx, img); err != nil {
		return 0, err
	}
	written, err := m.embedText(ctx, caption)
	if err != nil {
		return 0, err
	}
	seen, err := m.embedImages(ctx, []image.Image{img})
	if err != nil {
		return 0, err
	}
	words, picture := vision.Unit(written), vision.Unit(seen[0])
	var cosine float64
	for i := range words {
		cosine += words[i] * picture[i]
	}
	if math.IsNaN(cosine) {
		return 0, dualprocess.ErrNotFinite
	}
	return cosine, nil
}

// Features returns a vector of length 1 for every picture, as wide as what the towers
// have in common: what CMMD compares. Pictures may have different sizes. Errors wrap
// ErrPictureSize, dualprocess.ErrTask, or are the context's.
func (m *Model) Features(ctx context.Context, images ...image.Image) ([][]float64, error) {
	for k, img := range images {
		if err := vlm.CheckPicture(ctx, img); err != nil {
			return nil, fmt.Errorf("%s: picture %d: %w", name, k, err)
		}
	}
	vectors, err := m.embedImages(ctx, images)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	features := make([][]float64, len(vectors))
	for k, v := range vectors {
		features[k] = vision.Unit(v)
	}
	return features, nil
}

// batch is how many pictures go through the tower at once. One alone has a program of
// its own.
const batch = 8

// embedImages returns the vectors of pictures, of any number.
func (m *Model) embedImages(ctx context.Context, images []image.Image) ([][]float32, error) {
	vectors := make([][]float32, 0, len(images))
	for len(images) > 0 {
		size := batch
		if len(images) == 1 {
			size = 1
		}
		n := min(size, len(images))
		squares, err := m.squares(images[:n], size)
		if err != nil {
			return nil, err
		}
		some, err := m.run(ctx, "pictures", m.imageGraph, squares)
		if err != nil {
			return nil, err
		}
		for k := range n {
			vectors = append(vectors, some[k*m.config.Projection:(k+1)*m.config.Projection])
		}
		images = images[n:]
	}
	return vectors, nil
}

// squares brings pictures to what the tower reads, [size, side, side, 3] in [0, 1];
// beyond those given it is black.
func (m *Model) squares(images []image.Image, size int) (*tensors.Tensor, error) {
	c := m.config.Pictures
	crop := c.Square()
	values := make([]float32, 0, size*crop.Area()*3)
	for _, img := range images {
		from := vision.Size{Height: img.Bounds().Dy(), Width: img.Bounds().Dx()}
		to := c.Target(from)
		if max(from.Height, from.Width, to.Height, to.Width) > vlm.LongestSide {
			return nil, fmt.Errorf("%w: %s", ErrPictureSize, from)
		}
		for _, v := range vision.ResizeCrop8(pixels.RGB(img), from, to, crop, vision.Kernel(c.Resample)) {
			values = append(values, float32(v)/255)
		}
	}
	return tensors.FromFlatDataAndDimensions(values[:cap(values)], size, crop.Height, crop.Width, 3), nil
}

// imageGraph maps pictures [B, side, side, 3] in [0, 1] to vectors [B, projection].
func (m *Model) imageGraph(in []*Node) *Node {
	x := vision.Normalize(in[0], m.config.Pictures.Mean, m.config.Pictures.Std)
	x = m.tower.Apply(nn.Pass{}, ConvertDType(x, m.runtime.DType))
	class := Reshape(Slice(x, AxisRange(), AxisElem(0)), x.Shape().Dim(0), -1) // [B, hidden]
	return m.imageProjection.Apply(nn.Pass{}, m.norm.Apply(nn.Pass{}, class))
}

// embedText returns the vector of a caption.
func (m *Model) embedText(ctx context.Context, caption string) ([]float32, error) {
	if err := arguments.Context(ctx); err != nil {
		return nil, err
	}
	switch {
	case m.encoder == nil:
		return nil, ErrNoText
	case strings.TrimSpace(caption) == "" || !utf8.ValidString(caption):
		return nil, fmt.Errorf("%w: the caption is empty or not UTF-8", ErrQuestion)
	}
	ids, err := m.prompter.IDs(caption)
	if err != nil {
		return nil, err
	}
	return m.embedIDs(ctx, ids)
}

func (m *Model) embedIDs(ctx context.Context, ids []int32) ([]float32, error) {
	row := tensors.FromFlatDataAndDimensions(ids, 1, len(ids))
	return m.run(ctx, "caption", m.textGraph, row, int32(m.config.Text.Summary(ids)))
}

// textGraph maps ids [1, S] and the place of their summary to a vector [1, projection].
func (m *Model) textGraph(in []*Node) *Node {
	hidden := m.encoder.Apply(nn.Pass{}, in[0], m.runtime.DType)
	return m.textProjection.Apply(nn.Pass{}, text.Pool(hidden, in[1]))
}

// run returns the numbers that a graph function computes.
func (m *Model) run(ctx context.Context, key string, build func(in []*Node) *Node, inputs ...any) ([]float32, error) {
	out, err := m.programs.Run(ctx, key, func(in []*Node) []*Node {
		return []*Node{ConvertDType(build(in), dtypes.Float32)}
	}, inputs...)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(out...)
	return tensors.MustCopyFlatData[float32](out[0]), nil
}
