package world

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for _, f := range Families() {
		for i, caption := range Captions(f) {
			if i%17 != 0 { // parsing tries all captions: a sample is enough
				continue
			}
			s, err := Parse(caption)
			require.NoError(t, err)
			require.Equal(t, caption, s.Caption())
		}
	}
	s, err := Parse("an orange ball and a blue cone on a beach")
	require.NoError(t, err)
	require.Equal(t, [2]Object{{"orange", "ball"}, {"blue", "cone"}}, s.Objects)
	s, err = Parse("a sea at night with clouds in dark academia")
	require.NoError(t, err)
	require.Equal(t, Scene{Family: Landscape, Place: "sea", Time: "night", Thing: Clouds, Palette: "dark academia", Grade: 1}, s)
	require.Equal(t, "a sea at night with clouds in dark academia", s.Caption())
	_, err = Parse("a sea at night in red")
	require.Error(t, err)
	_, err = Parse("a dragon at night")
	require.ErrorContains(t, err, "dragon")
}

func FuzzTokens(f *testing.F) {
	f.Add("Is the horizon on the red line? Answer with Yes or No.")
	f.Add("a line\tdrawing  of a cup\n")
	f.Add("\xff\u2003!?")
	f.Fuzz(func(t *testing.T, text string) {
		for _, token := range Tokens(text) {
			require.NotEmpty(t, token)
			require.Equal(t, []string{token}, Tokens(token))
		}
	})
}
