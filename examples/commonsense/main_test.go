package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

func TestPromptsAreCaptions(t *testing.T) {
	for _, s := range senses {
		for _, prompt := range slices.Concat(each(s.always, s.trained), each(s.never, s.trained), each(s.always, s.unseen), each(s.never, s.unseen)) {
			scene, err := world.Parse(prompt)
			require.NoError(t, err)
			assert.False(t, scene.Said, prompt)
		}
		for _, prompt := range each(s.asked, s.unseen) {
			scene, err := world.Parse(prompt)
			require.NoError(t, err)
			assert.True(t, scene.Said, prompt)
		}
		for _, ending := range s.unseen {
			assert.NotContains(t, s.trained, ending)
		}
	}
}
