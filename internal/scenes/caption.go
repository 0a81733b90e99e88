package scenes

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Captions returns every caption of a family, in a fixed order.
func Captions(f Family) []string {
	var all []string
	for _, s := range facts(f) {
		all = append(all, s.Caption())
	}
	return all
}

// facts enumerates the scenes of a family that differ in their captions, with
// nothing but the caption's parts set.
func facts(f Family) []Scene {
	var all []Scene
	add := func(s Scene) { s.Family = f; all = append(all, s) }
	switch f {
	case Landscape:
		for _, place := range places {
			for _, time := range times {
				for _, thing := range landscapeThings {
					add(Scene{Place: place, Time: time, Thing: thing})
				}
			}
		}
	case Drawing:
		for _, thing := range drawnThings {
			for _, ink := range inks {
				add(Scene{Thing: thing, Ink: ink})
			}
		}
	case Room:
		for _, place := range roomPlaces {
			for _, pair := range objectPairs() {
				add(Scene{Place: place, Objects: pair})
			}
		}
	case Lake:
		eachWish(lakeThings, func(said, winter bool, thing string) { add(Scene{Said: said, Winter: winter, Thing: thing}) })
	case Lamp:
		eachWish(lampThings, func(said, night bool, thing string) { add(Scene{Said: said, Night: night, Thing: thing}) })
	}
	return all
}

// objectPairs lists the pairs of objects of different colours.
func objectPairs() [][2]Object {
	var objects []Object
	for _, colour := range colours {
		for _, shape := range shapes {
			objects = append(objects, Object{colour, shape})
		}
	}
	var pairs [][2]Object
	for _, left := range objects {
		for _, right := range objects {
			if left.Colour != right.Colour {
				pairs = append(pairs, [2]Object{left, right})
			}
		}
	}
	return pairs
}

// eachWish visits all combinations of a caption's two switches and its thing.
func eachWish(things []string, visit func(said, season bool, thing string)) {
	for _, said := range []bool{false, true} {
		for _, season := range []bool{false, true} {
			for _, thing := range things {
				visit(said, season, thing)
			}
		}
	}
}

// Tokens splits a text into lower-case words and single punctuation marks,
// the units of the pocket vocabulary.
func Tokens(text string) []string {
	var tokens []string
	word := strings.Builder{}
	flush := func() {
		if word.Len() > 0 {
			tokens = append(tokens, word.String())
			word.Reset()
		}
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.IsSpace(r):
			flush()
		case unicode.IsPunct(r):
			flush()
			tokens = append(tokens, string(r))
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return tokens
}

// Words returns the closed vocabulary: every token of captions, questions and
// answers, sorted.
func Words() []string {
	seen := map[string]bool{Yes: true, No: true}
	add := func(texts ...string) {
		for _, text := range texts {
			for _, token := range Tokens(text) {
				seen[token] = true
			}
		}
	}
	add(PositionWords()...)
	add(Suffix)
	for _, f := range Families() {
		add(Captions(f)...)
		for _, t := range topics(f) {
			add(t.words...)
			for _, text := range t.texts {
				add(phrase(text, ""))
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
