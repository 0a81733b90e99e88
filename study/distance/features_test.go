package distance_test

import (
	"context"
	"errors"
	"image"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/distance"
	"github.com/dualprocess/dualprocess-go/verifier/clip"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
)

var (
	_ study.Features = (*clip.Model)(nil)
	_ study.Features = (*pocket.Verifier)(nil)
)

// scenes draws pictures of the pocket world one by one.
func scenes(seed uint64, n int, family world.Family) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for range n {
			if !yield(world.NewScene(rng, family, world.Broad).Draw(64).Image(), nil) {
				return
			}
		}
	}
}

// TestPocket: by the features of the embedded verifier, landscapes are nearer to other
// landscapes than to drawings.
func TestPocket(t *testing.T) {
	v, err := pocket.Open(t.Context(), golden.Runtime(t), pocket.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	const n = 12
	var sets [3][][]float64
	for k, family := range []world.Family{world.Landscape, world.Landscape, world.Drawing} {
		sets[k], err = distance.Collect(t.Context(), v, scenes(uint64(k), n, family))
		require.NoError(t, err)
		require.Len(t, sets[k], n)
	}
	for _, measure := range []func(x, y [][]float64) (float64, error){distance.CMMD, distance.FID} {
		near, err := measure(sets[0], sets[1])
		require.NoError(t, err)
		far, err := measure(sets[0], sets[2])
		require.NoError(t, err)
		require.Positive(t, near)
		require.Greater(t, far, 2*near)
	}
}

// TestTable runs Table 5 on streams of the pocket world.
func TestTable(t *testing.T) {
	v, err := pocket.Open(t.Context(), golden.Runtime(t), pocket.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	stream := func(name string, seed uint64, family world.Family) study.Pictures {
		return study.Pictures{Name: name, All: scenes(seed, 6, family)}
	}
	report, err := study.Run(t.Context(), &study.Quality{
		Real: stream("landscapes", 0, world.Landscape),
		Generated: []study.NamedPictures{
			{Row: "near", Pictures: stream("other landscapes", 1, world.Landscape)},
			{Row: "far", Pictures: stream("drawings", 2, world.Drawing)},
		},
		Distances: distance.Columns(v), Resamples: 3,
	}, study.Options{Folder: t.TempDir()})
	require.NoError(t, err)
	for _, column := range []string{"CMMD", "FID"} {
		near, ok := report.Cell(study.Cell{Row: "near", Column: column})
		require.True(t, ok)
		far, ok := report.Cell(study.Cell{Row: "far", Column: column})
		require.True(t, ok)
		require.Greater(t, far.Value, near.Value)
		require.Len(t, far.Samples, 3)
	}
	require.Contains(t, report.Table.Text(), "CMMD")
}

// counting is a tower that says how many pictures it sees at once.
type counting struct {
	seen    []int
	missing int
	err     error
}

func (c *counting) Features(_ context.Context, images ...image.Image) ([][]float64, error) {
	c.seen = append(c.seen, len(images))
	out := make([][]float64, len(images)-c.missing)
	for k := range out {
		out[k] = []float64{float64(images[k].Bounds().Dx())}
	}
	return out, c.err
}

// widths is a stream of pictures of 1 to n pixels, with an error instead of one of them.
func widths(n, broken int) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		for k := range n {
			if k == broken {
				yield(nil, errBroken)
				return
			}
			if !yield(image.NewGray(image.Rect(0, 0, k+1, 1)), nil) {
				return
			}
		}
	}
}

var errBroken = errors.New("broken file")

func TestCollect(t *testing.T) {
	c := &counting{}
	all, err := distance.Collect(t.Context(), c, widths(35, -1))
	require.NoError(t, err)
	require.Equal(t, []int{16, 16, 3}, c.seen, "no more at once")
	require.Len(t, all, 35)
	for k, v := range all {
		require.Equal(t, []float64{float64(k + 1)}, v)
	}

	_, err = distance.Collect(t.Context(), &counting{}, widths(35, 20))
	require.ErrorIs(t, err, errBroken)
	require.ErrorContains(t, err, "picture 20")
	_, err = distance.Collect(t.Context(), &counting{missing: 1}, widths(3, -1))
	require.ErrorIs(t, err, distance.ErrFeatures)
	_, err = distance.Collect(t.Context(), &counting{err: errBroken}, widths(3, -1))
	require.ErrorIs(t, err, errBroken)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = distance.Collect(ended, &counting{}, widths(3, -1))
	require.ErrorIs(t, err, context.Canceled)
}
