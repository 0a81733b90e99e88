package sanabase

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// about is what the test needs of golden.json, and of extra.json beside it.
type about struct {
	Prompt  string
	Prompts map[string]string
	Spec    struct {
		Family  string
		Seq     int
		Prompts map[string]string
	}
}

// TestGolden compares the ids of prompts with and without an instruction, and which of
// them are words.
func TestGolden(t *testing.T) {
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var a about
		f.Decode(t, &a)
		if a.Spec.Family != "sana" && a.Spec.Family != "sana_sprint" {
			continue // generator's tests see to it that every family is compared
		}
		t.Run(f.Name+"/text.gemma", func(t *testing.T) {
			testIDs(t, f, f, a, map[string]string{"": a.Prompt}, a.Spec.Prompts)
			if extra := f.Beside(t, "extra"); extra != nil {
				var more about
				extra.Decode(t, &more)
				testIDs(t, f, extra, a, more.Prompts)
			}
		})
	}
}

// testIDs compares what a fixture beside the model's holds about prompts, by their names.
func testIDs(t *testing.T, model, f *golden.Fixture, a about, sets ...map[string]string) {
	plain, instructed, err := openPrompters(os.DirFS(model.Path("model")), a.Spec.Seq, 1<<20, Instruction)
	require.NoError(t, err)
	if f.Has("text.gemma.chi_num_tokens") {
		count, err := plain.Count(Instruction)
		require.NoError(t, err)
		require.Equal(t, f.Ints(t, "text.gemma.chi_num_tokens"), []int32{int32(count)})
	}
	for _, prompts := range sets {
		for name, prompt := range prompts {
			for kind, prompter := range map[string]*text.Prompter{"_plain": plain, "_chi": instructed} {
				words := NewWording("", prompt).prompt
				if kind == "_chi" {
					words = Instruction + words
				}
				key := strings.TrimSuffix(kind+"_"+name, "_")
				ids, count, err := prompter.Padded(words)
				require.NoError(t, err)
				require.Equal(t, f.Ints(t, "text.gemma.ids"+key), ids, key)
				if f.Has("text.gemma.mask" + key) {
					for k, word := range f.Ints(t, "text.gemma.mask"+key) {
						require.Equal(t, word == 1, k < count, key)
					}
				}
			}
		}
	}
}

// TestClean lists what Python's lower and strip give.
func TestClean(t *testing.T) {
	for prompt, want := range map[string]string{
		"  A Cat\n":             "a cat",
		"\x1c\u00a0ÉTÉ\u2003":   "été",
		"ΟΔΟΣ ΣΑΝ":              "οδος σαν",
		"İ":                     "i\u0307",
		strings.Repeat("A ", 3): "a a a",
	} {
		require.Equal(t, want, clean(prompt))
	}
}
