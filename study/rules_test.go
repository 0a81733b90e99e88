package study_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dualprocess/dualprocess-go/study"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	published := `[{"prompt1":"a p","prompt2":"b p","description1":"one\ntwo","description2":"d","category":"Physical Laws","likelihood":9}]`
	rules, err := study.ParseRules([]byte(published))
	require.NoError(t, err)
	assert.Equal(t, []study.Rule{{Category: "Physical Laws", Likelihood: 9, Sides: [2]study.Side{
		{Prompt: "a p", Description: "one, two"}, {Prompt: "b p", Description: "d"}}}}, rules)
	for _, wrong := range []string{"", "[]", "[1]", "{", `{"prompt1":"a"}`, strings.Replace(published, "a p", " ", 1)} {
		_, err := study.ParseRules([]byte(wrong))
		assert.ErrorIs(t, err, study.ErrSettings, wrong)
	}
	_, err = study.ReadRules(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(`[{"prompt1":"a","prompt2":"b","description1":"c","description2":"d","category":"e","likelihood":"9"}]`))
	f.Add([]byte(`{"prompt1":"a"} {`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if rules, err := study.ParseRules(data); err == nil {
			require.NotEmpty(t, rules)
			for _, r := range rules {
				require.NotEmpty(t, r.Sides[0].Prompt)
				require.NotEmpty(t, r.Sides[1].Description)
			}
		}
	})
}
