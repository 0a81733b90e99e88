package teaching

import (
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Wordings lists all questions that can be asked about a family, without Suffix:
// one list for each topic.
func Wordings(f world.Family) [][]string {
	var all [][]string
	for _, t := range append(topics(f), paletteTopic()) {
		words := t.words
		if words == nil {
			words = []string{""}
		}
		var list []string
		for _, text := range t.texts {
			for _, word := range words {
				list = append(list, phrase(text, word))
			}
		}
		all = append(all, slices.Compact(list))
	}
	return all
}

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
	add(world.PaletteNames...)
	for _, f := range world.Families() {
		add(world.Captions(f)...)
		for _, list := range Wordings(f) {
			add(list...)
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
