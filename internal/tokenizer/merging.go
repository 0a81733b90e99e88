package tokenizer

import "container/heap"

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

// mergeAll merges the lowest rank first, the leftmost of equal ones, in O(n log n): candidates wait in a heap and are
// checked again when their turn comes, as a neighbour may have been merged in the meantime.
func (m *bpe) mergeAll(symbols []symbol) {
	var waiting candidates
	propose := func(at int) {
		if at < 0 || symbols[at].next < 0 {
			return
		}
		if g, ok := m.merges[pair{int32(symbols[at].id), int32(symbols[symbols[at].next].id)}]; ok {
			heap.Push(&waiting, candidate{int(g.rank), at, int(g.id)})
		}
	}
	for i := range symbols {
		propose(i)
	}
	for len(waiting) > 0 {
		c := heap.Pop(&waiting).(candidate)
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

// candidates are a heap with the next one to merge on top.
type candidates []candidate

func (c candidates) Len() int { return len(c) }

func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].at < c[j].at
}

func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }

func (c *candidates) Push(x any) { *c = append(*c, x.(candidate)) }

func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
