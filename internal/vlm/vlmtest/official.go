package vlmtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// official is what the model's own processor and chat template give: official.json
// and official.safetensors.
type official struct {
	*reference
	fixture  *golden.Fixture
	verifier *vlm.Verifier
	about    struct {
		Question, Answer, Prompt, Separator string
		SizeRule                            struct {
			Table []struct{ In, Out []int }
		} `json:"size_rule"`
	}
}

func newOfficial(t *testing.T, r *reference, f *golden.Fixture) *official {
	o := &official{reference: r, fixture: f, verifier: r.open(t, vlm.Options{})}
	f.Decode(t, &o.about)
	return o
}

func (o *official) test(t *testing.T) {
	t.Run("prompt", func(t *testing.T) {
		require.Equal(t, o.about.Prompt, o.text(o.verifier, o.about.Question))
		require.Equal(t, o.about.Separator, vlm.Pieces(o.verifier).Model.Prompt("?").Separator)
	})
	t.Run("size_rule", o.testSizes)
	cases := map[string]bool{}
	for _, key := range o.fixture.Keys() {
		name, _, _ := strings.Cut(key, "/")
		cases[name] = true
	}
	for name := range cases {
		if !o.wanted(name) {
			continue
		}
		t.Run(name, func(t *testing.T) { o.testCase(t, name) })
	}
	if !t.Failed() && o.wanted("") {
		require.Empty(t, o.fixture.Unread(), "nobody compares these keys")
	}
}

// testCase asks for Yes and, in its place, for No.
func (o *official) testCase(t *testing.T, name string) {
	var pictures *tensors.Tensor
	if key := name + "/images"; o.fixture.Has(key) {
		pictures = o.fixture.Tensor(t, key)
	} else {
		pictures = o.fixture.Tensor(t, name+"/image")
	}
	yes := dualprocess.Question{Text: o.about.Question, Answer: o.about.Answer, Bare: true}
	no := yes
	no.Answer = "No"
	run := &run{of: o.reference, verifier: o.verifier, fixture: o.fixture, prefix: name + "/"}
	run.start(t, pictures, yes, no)
	run.compare(t)
}

// testSizes compares the model's rule of sizes.
func (o *official) testSizes(t *testing.T) {
	require.NotEmpty(t, o.about.SizeRule.Table)
	for _, rule := range o.about.SizeRule.Table {
		got, err := vlm.Pieces(o.verifier).Model.Layout(vision.Size{Height: rule.In[0], Width: rule.In[1]})
		if rule.Out == nil || slices.Contains(rule.Out, 0) { // a size of no pixels is none
			require.ErrorIs(t, err, vlm.ErrPictureSize, rule.In)
			continue
		}
		require.NoError(t, err, rule.In)
		require.Equal(t, vision.Size{Height: rule.Out[0], Width: rule.Out[1]}, got.Resized, rule.In)
	}
}
