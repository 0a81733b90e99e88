package edit

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "four", 4}, {"abc", "", 3}, {"red", "rde", 1}, {"horse", "house", 1}, {"horse", "hose", 1}, {"hose", "horse", 1},
		{"kitten", "sitting", 3}, {"ca", "abc", 3}, {"é", "e", 1}, {"to_q", "to_k", 1}, {"abcdef", "badcfe", 3},
	} {
		assert.Equal(t, c.want, Distance(c.a, c.b), "%q, %q", c.a, c.b)
	}
}
