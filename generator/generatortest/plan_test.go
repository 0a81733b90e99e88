package generatortest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/verifier"
)

func TestPlanDev(t *testing.T) {
	const data = "../../internal/golden/testdata/"
	for _, pair := range [][2]string{{"flux_schnell", "llava"}, {"sd14", "qwen2_5_vl"}, {"sana", "gemma3"}} {
		if only := os.Getenv("DP_PAIR"); only != "" && only != pair[0] {
			continue
		}
		rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cpu"})
		require.NoError(t, err)
		g, err := generator.Open(t.Context(), rt, data+"generator/"+pair[0]+"/model", generator.Options{})
		require.NoError(t, err)
		v, err := verifier.Open(t.Context(), rt, data+"verifier/"+pair[1]+"/model", verifier.Options{})
		require.NoError(t, err)
		n, err := dualprocess.Plan(t.Context(), dualprocess.Task{Runtime: rt, Generator: g, Verifier: v, Prompts: []string{"a photo of a wheat field"},
			Questions: []dualprocess.Question{{Text: "Is the horizon aligned with the red line?", Answer: "Yes"}}})
		require.NoError(t, err)
		t.Logf("%v %+v", pair, n)
	}
}
