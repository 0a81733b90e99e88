package world

import (
	"fmt"
	"strings"
	"unicode"
)

// namedFrom is how far a picture must be in a palette's colours for its caption to say so.
const namedFrom = .5

// Caption describes the scene in words of the closed vocabulary, in lower
// case and without punctuation; at most 13 words.
func (s Scene) Caption() string {
	if s.Grade > namedFrom {
		return InPalette(s.plain(), s.Palette)
	}
	return s.plain()
}

// InPalette asks for a palette besides what a caption names.
func InPalette(caption, palette string) string { return caption + " in " + palette }

// plain is the caption without a palette.
func (s Scene) plain() string {
	switch s.Family {
	case Landscape:
		return join(article(s.Place), s.Place, timePhrase(s.Time), with(s.Thing))
	case Drawing:
		return join("a line drawing of", article(s.Thing), s.Thing, "in", s.Ink, "ink")
	case Room:
		return join(s.Objects[0].String(), "and", s.Objects[1].String(), "on a", s.Place)
	case Lake:
		return join("a", choose(s.Said, "frozen", ""), "lake in", choose(s.Winter, "winter", "summer"), with(s.Thing))
	case Lamp:
		return join("a lamp", choose(s.Said, "that is on", ""), choose(s.Night, "at night", "by day"), with(s.Thing))
	case Tree:
		return join("a", choose(s.Said, "bare", ""), "tree in", choose(s.Winter, "winter", "summer"), with(s.Thing))
	default:
		return join("a house", choose(s.Said, "that is lit", ""), choose(s.Night, "at night", "by day"), with(s.Thing))
	}
}

// Captions returns every caption of a family that names no palette, in a fixed order.
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
		for _, place := range Places {
			for _, time := range Times {
				for _, thing := range landscapeThings {
					add(Scene{Place: place, Time: time, Thing: thing})
				}
			}
		}
	case Drawing:
		for _, thing := range DrawnThings {
			for _, ink := range Inks {
				add(Scene{Thing: thing, Ink: ink})
			}
		}
	case Room:
		for _, place := range RoomPlaces {
			for _, pair := range objectPairs() {
				add(Scene{Place: place, Objects: pair})
			}
		}
	case Lake:
		eachWish(lakeThings, func(said, winter bool, thing string) { add(Scene{Said: said, Winter: winter, Thing: thing}) })
	case Lamp:
		eachWish(lampThings, func(said, night bool, thing string) { add(Scene{Said: said, Night: night, Thing: thing}) })
	case Tree:
		eachWish(treeThings, func(said, winter bool, thing string) { add(Scene{Said: said, Winter: winter, Thing: thing}) })
	case House:
		eachWish(houseThings, func(said, night bool, thing string) { add(Scene{Said: said, Night: night, Thing: thing}) })
	}
	return all
}

// objectPairs lists the pairs of objects of different colours.
func objectPairs() [][2]Object {
	var pairs [][2]Object
	for _, left := range Objects() {
		for _, right := range Objects() {
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

// Parse returns a scene with the parts that a caption names and nothing else
// set, or an error for a text that is no caption of this world.
func Parse(caption string) (Scene, error) {
	plain, palette := caption, ""
	for _, name := range PaletteNames {
		if rest, ok := strings.CutSuffix(caption, InPalette("", name)); ok {
			plain, palette = rest, name
		}
	}
	for _, f := range Families() {
		for _, s := range facts(f) {
			if s.plain() != plain {
				continue
			}
			if palette != "" {
				s.Palette, s.Grade = palette, 1
			}
			return s, nil
		}
	}
	return Scene{}, fmt.Errorf("world: no caption of the pocket world: %q", caption)
}

// join joins the non-empty parts with blanks.
func join(parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}

// article returns "an" before the vocabulary's words that need it, else "a".
func article(word string) string {
	return choose(strings.HasPrefix(word, "orange"), "an", "a")
}

// with phrases what stands in a scene: "with a tree", or "" for nothing.
func with(thing string) string {
	if thing == "" {
		return ""
	}
	return "with " + NounPhrase(thing)
}

// NounPhrase puts an article before singular things.
func NounPhrase(thing string) string {
	switch thing {
	case Mountains, Clouds:
		return thing
	case treeAndHouse:
		return "a tree and a house"
	case treeAndField:
		return "a tree and a field"
	}
	return article(thing) + " " + thing
}

func timePhrase(time string) string {
	return choose(time == "day", "by day", "at "+time)
}

func choose(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
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
