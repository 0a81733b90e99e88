package tokenizer

import "sort"

// prefixes finds which of a set of strings begin a text. It is a sorted list searched byte by byte, which costs
// a few comparisons more than a trie and, unlike one, no memory beyond the strings themselves.
type prefixes struct {
	sorted []entry
	first  [257]int32 // sorted[first[b]:first[b+1]] begin with byte b
}

type entry struct {
	text  string
	value int
}

// newPrefixes sorts entries; texts must be distinct and not empty.
func newPrefixes(entries []entry) *prefixes {
	p := &prefixes{sorted: entries}
	sort.Slice(entries, func(i, j int) bool { return entries[i].text < entries[j].text })
	for b := range p.first {
		p.first[b] = int32(sort.Search(len(entries), func(i int) bool { return int(entries[i].text[0]) >= b }))
	}
	return p
}

// each calls yield with the value and length of every entry that text begins with, shortest first.
func (p *prefixes) each(text string, yield func(value, length int)) {
	if text == "" {
		return
	}
	lo, hi := int(p.first[text[0]]), int(p.first[int(text[0])+1])
	for depth := 1; lo < hi; depth++ {
		if len(p.sorted[lo].text) == depth { // sorts before all that it begins
			yield(p.sorted[lo].value, depth)
			lo++
		}
		if depth == len(text) {
			return
		}
		lo, hi = p.narrow(lo, hi, depth, text[depth])
	}
}

// longest returns the longest entry that text begins with.
func (p *prefixes) longest(text string) (value, length int) {
	p.each(text, func(v, n int) { value, length = v, n })
	return value, length
}

// narrow keeps the entries of [lo, hi), all longer than depth and equal before it, that have b at depth.
func (p *prefixes) narrow(lo, hi, depth int, b byte) (int, int) {
	if hi-lo == 1 { // the common end of a search: compare instead of searching
		if p.sorted[lo].text[depth] == b {
			return lo, hi
		}
		return lo, lo
	}
	s := p.sorted[lo:hi]
	from := sort.Search(len(s), func(i int) bool { return s[i].text[depth] >= b })
	to := from + sort.Search(len(s)-from, func(i int) bool { return s[from+i].text[depth] > b })
	return lo + from, lo + to
}
