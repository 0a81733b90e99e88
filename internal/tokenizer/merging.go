package tokenizer

// symbol is a token of a word that is being merged. The symbols of a word are a list linked both ways, so that a
// merge costs the same wherever it is.
type symbol struct {
	id         int
	prev, next int // indices; -1 at the ends
	gone       bool
}

// chain collects symbols.
type chain []symbol

func (c *chain) add(id int) {
	*c = append(*c, symbol{id: id, prev: len(*c) - 1, next: len(*c) + 1})
}

func (c chain) done() []symbol {
	if len(c) > 0 {
		c[len(c)-1].next = -1
	}
	return c
}

// candidate is a pair that could be merged: the symbol at and its next.
type candidate struct{ rank, at, id int }

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// mergeAll merges the lowest rank first, the leftmost of equal ones, in O(n log n): candidates wait in a heap and are
// checked again when their turn comes, as a neighbour may have been merged in the meantime.
func (m *bpe) mergeAll(symbols []symbol) {
	var waiting heap
	propose := func(at int) {
		if at < 0 || symbols[at].next < 0 {
			return
		}
		if g, ok := m.merges[pair{int32(symbols[at].id), int32(symbols[symbols[at].next].id)}]; ok {
			waiting.push(candidate{int(g.rank), at, int(g.id)})
		}
	}
	for i := range symbols {
		propose(i)
	}
	for len(waiting) > 0 {
		c := waiting.pop()
		left := &symbols[c.at]
		if left.gone || left.next < 0 {
			continue
		}
		right := &symbols[left.next]
		if g, ok := m.merges[pair{int32(left.id), int32(right.id)}]; !ok || int(g.id) != c.id {
			continue
		}
		left.id, left.next, right.gone = c.id, right.next, true
		if right.next >= 0 {
			symbols[right.next].prev = c.at
		}
		propose(left.prev)
		propose(c.at)
	}
}

// heap is a binary heap with the first candidate on top.
type heap []candidate

func (h *heap) push(c candidate) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].before(s[parent]) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *heap) pop() candidate {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			return top
		}
		if child+1 < len(s) && s[child+1].before(s[child]) {
			child++
		}
		if !s[child].before(s[i]) {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
