package uni

import (
	"unicode"
	"unicode/utf8"
)

// breakClass is the property Grapheme_Cluster_Break.
type breakClass int

const (
	other breakClass = iota
	cr
	lf
	control
	extend
	zwj
	spacing
	prepend
	hangulL
	hangulV
	hangulT
	hangulLV
	hangulLVT
	regional
)

func classOf(r rune) breakClass {
	switch {
	case r == '\r':
		return cr
	case r == '\n':
		return lf
	case ' ' <= r && r <= '~', 0xa0 <= r && r < 0x300 && r != 0xad:
		return other
	case r == '\u200d':
		return zwj
	case 0xac00 <= r && r <= 0xd7a3:
		if (r-0xac00)%28 == 0 {
			return hangulLV
		}
		return hangulLVT
	}
	for _, c := range []struct {
		class breakClass
		table *unicode.RangeTable
	}{
		{extend, gcbExtend}, {spacing, gcbSpacing}, {control, gcbControl}, {prepend, gcbPrepend},
		{hangulL, gcbL}, {hangulV, gcbV}, {hangulT, gcbT}, {regional, gcbRegional},
	} {
		if unicode.Is(c.table, r) {
			return c.class
		}
	}
	return other
}

// Grapheme returns the length in bytes of the extended grapheme cluster (UAX 29) that text begins with. Text must
// begin at a border of clusters and not be empty.
func Grapheme(text string) int {
	r, n := utf8.DecodeRuneInString(text)
	var c cluster
	c.add(r)
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		if c.endsBefore(r) {
			break
		}
		c.add(r)
		n += size
	}
	return n
}

// cluster is what the rules need to remember of the characters so far.
type cluster struct {
	last      breakClass
	flags     int  // regional indicators
	emoji     bool // a pictograph, marks and at most one U+200D, at the end
	consonant bool // a consonant and then only marks and linkers
	linker    bool // among them a linker
}

// endsBefore applies the rules GB3 to GB999 to the border before r.
func (c *cluster) endsBefore(r rune) bool {
	next := classOf(r)
	switch {
	case c.last == cr && next == lf: // GB3
		return false
	case c.last == cr || c.last == lf || c.last == control || next == cr || next == lf || next == control: // GB4, GB5
		return true
	case c.last == hangulL && (next == hangulL || next == hangulV || next == hangulLV || next == hangulLVT): // GB6
		return false
	case (c.last == hangulLV || c.last == hangulV) && (next == hangulV || next == hangulT): // GB7
		return false
	case (c.last == hangulLVT || c.last == hangulT) && next == hangulT: // GB8
		return false
	case next == extend || next == zwj || next == spacing || c.last == prepend: // GB9, GB9a, GB9b
		return false
	case c.linker && unicode.Is(conjunctConsonant, r): // GB9c
		return false
	case c.emoji && c.last == zwj && unicode.Is(pictographic, r): // GB11
		return false
	case c.last == regional && next == regional && c.flags%2 == 1: // GB12, GB13
		return false
	}
	return true // GB999
}

func (c *cluster) add(r rune) {
	before := c.last
	c.last = classOf(r)
	if c.last == regional {
		c.flags++
	}
	mark := c.last == extend || c.last == zwj
	c.emoji = unicode.Is(pictographic, r) || c.emoji && mark && before != zwj
	switch {
	case unicode.Is(conjunctConsonant, r):
		c.consonant, c.linker = true, false
	case unicode.Is(conjunctLinker, r):
		c.linker = c.consonant
	case !mark:
		c.consonant, c.linker = false, false
	}
}
