package teaching

import (
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Words returns the closed vocabulary: every token of captions, questions and
// answers, sorted.
func Words() []string {
	seen := map[string]bool{Yes: true, No: true}
	add := func(texts ...string) {
		for _, text := range texts {
			for _, token := range world.Tokens(text) {
				seen[token] = true
			}
		}
	}
	add(PositionWords()...)
	add(Suffix)
	for _, f := range world.Families() {
		add(world.Captions(f)...)
		for _, t := range topics(f) {
			add(t.words...)
			for _, text := range t.texts {
				add(phrase(text, ""))
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
