package clip

import (
	"image"
	"math"
	"os"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

const tolerance = 1e-4 // of the largest element

// about is golden.json.
type about struct {
	Captions, Pictures []string
}

// TestGolden compares what transformers' CLIPModel and torchmetrics' CLIPScore make of
// captions and pictures.
func TestGolden(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.TwoTowers) {
		t.Run(f.Name, func(t *testing.T) {
			var a about
			f.Decode(t, &a)
			m, err := OpenFS(t.Context(), rt, os.DirFS(f.Path("model")), Options{})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			compareTexts(t, m, f, a)
			pictures := comparePictures(t, m, f, a)
			compareScores(t, m, f, a, pictures)
			require.Empty(t, f.Unread(), "nobody compares these")
		})
	}
}

func compareTexts(t *testing.T, m *Model, f *golden.Fixture, a about) {
	for k, prompt := range a.Captions {
		key := "text." + string(rune('0'+k))
		ids, err := m.prompter.IDs(prompt)
		require.NoError(t, err)
		require.Equal(t, f.Ints(t, key+".ids"), ids, prompt)
		got, err := m.embedIDs(t.Context(), ids)
		require.NoError(t, err)
		f.Compare(t, key+".embeds", got, tolerance)
	}
}

// comparePictures compares pictures one by one and all together, and returns them.
func comparePictures(t *testing.T, m *Model, f *golden.Fixture, a about) (pictures []image.Image) {
	for _, name := range a.Pictures {
		img := picture(t, f, "image."+name+".picture")
		pictures = append(pictures, img)
		square, err := m.squares([]image.Image{img}, 1)
		require.NoError(t, err)
		compareBytes(t, f.Ints(t, "image."+name+".resized"), tensors.MustCopyFlatData[float32](square))
		got, err := m.embedImages(t.Context(), []image.Image{img})
		require.NoError(t, err)
		f.Compare(t, "image."+name+".embeds", got[0], tolerance)
	}
	together, err := m.embedImages(t.Context(), pictures)
	require.NoError(t, err)
	for k, name := range a.Pictures {
		f.Compare(t, "image."+name+".embeds", together[k], tolerance)
	}
	return pictures
}

// compareBytes compares what a picture is resized to, in 8 bits, with Pillow's.
func compareBytes(t *testing.T, want []int32, got []float32) {
	require.Len(t, got, len(want))
	for i, w := range want {
		require.Equal(t, w, int32(math.Round(float64(got[i])*255)), "value %d", i)
	}
}

// compareScores compares cosines, and scores with a hundredth of torchmetrics'.
func compareScores(t *testing.T, m *Model, f *golden.Fixture, a about, pictures []image.Image) {
	cosines, _ := f.Floats(t, "cosine")
	scores, _ := f.Floats(t, "score")
	for i, img := range pictures {
		for j, prompt := range a.Captions {
			at := i*len(a.Captions) + j
			if prompt == "" {
				continue // is refused
			}
			cosine, err := m.Cosine(t.Context(), img, prompt)
			require.NoError(t, err)
			assert.InDelta(t, cosines[at], cosine, 1e-5)
			score, err := m.Score(t.Context(), img, dualprocess.Question{Text: prompt, Answer: "Yes"})
			require.NoError(t, err)
			assert.InDelta(t, scores[at]/100, score, 1e-5)
			not, err := m.Score(t.Context(), img, dualprocess.Question{Text: prompt, Answer: "No"})
			require.NoError(t, err)
			assert.InDelta(t, 1-score, not, 1e-12)
		}
	}
}

// picture makes a picture of a fixture's tensor [height, width, 3] of bytes.
func picture(t *testing.T, f *golden.Fixture, key string) image.Image {
	values := f.Ints(t, key)
	_, shape := f.Floats(t, key)
	img := image.NewNRGBA(image.Rect(0, 0, shape[1], shape[0]))
	for p := range shape[0] * shape[1] {
		for c := range 3 {
			img.Pix[4*p+c] = uint8(values[3*p+c])
		}
		img.Pix[4*p+3] = 255
	}
	return img
}
