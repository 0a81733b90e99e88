package pocket

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// testMadePictures asks about what the captions say of pictures that the embedded
// generator made: these are what a distillation shows the verifier, decoded from
// latents and never quite like a drawn scene.
func (v *examiner) testMadePictures(t *testing.T) {
	n := v.scenes
	rng := rand.New(rand.NewPCG(heldOut, 79))
	made := v.makePictures(t, rng, n/60)
	var list []inquiry
	var families []world.Family
	for _, m := range made {
		s, err := world.Parse(m.Prompt)
		require.NoError(t, err)
		p := world.FromImage(m.Image)
		if !measuring.SubjectThere(p, s) {
			continue // the generator failed, not the verifier
		}
		for range 6 {
			list = append(list, v.inquire(t, teaching.AskFact(rng, s), p))
			families = append(families, s.Family)
		}
	}
	right, _ := tally(t, list, families, v.answers(t, list))
	all := 0
	for _, f := range world.Families() {
		all += right[f.String()]
	}
	require.Greater(t, len(list), 3*len(made), "pictures that show their captions")
	assert.Greater(t, float64(all), 0.95*float64(len(list)), "share of right answers")
}

// makePictures has the embedded generator make pictures of some captions of each
// family.
func (v *examiner) makePictures(t *testing.T, rng *rand.Rand, perFamily int) []dualprocess.Rating {
	t.Helper()
	g, err := generator.Open(t.Context(), v.runtime, generator.Options{})
	require.NoError(t, err)
	var captions []string
	for _, f := range world.Families() {
		all := world.Captions(f)
		for range perFamily {
			captions = append(captions, all[rng.IntN(len(all))])
		}
	}
	made, err := dualprocess.Evaluate(t.Context(), dualprocess.Evaluation{
		Runtime: v.runtime, Generator: g, Verifier: v.Verifier, Prompts: captions, Seeds: []int64{heldOut}, Batch: 10,
		Questions: []dualprocess.Question{{Text: "Is it night?", Answer: "Yes"}},
	})
	require.NoError(t, err)
	return made
}
