package regex

import "unicode/utf8"

// machine runs a program on a text by backtracking.
type machine struct {
	program []instruction
	text    string
	budget  int // steps left; negative: given up
	stack   []choice
}

// choice is a place to go on from when the way taken fails.
type choice struct {
	pc, at int
	floor  int // a greedy run may give back characters down to here
	count  int // a lazy run has taken so many
	run    bool
}

// search returns the first match at or behind from; -1 where there is none or the budget is spent.
func (m *machine) search(from int) (start, end int) {
	for at := from; at <= len(m.text); {
		if end := m.match(0, at); end >= 0 || m.budget < 0 {
			if end < 0 {
				return -1, -1
			}
			return at, end
		}
		_, size := utf8.DecodeRuneInString(m.text[at:])
		at += max(size, 1)
	}
	return -1, -1
}

// match runs the program from pc on the text from at to the next opMatch that it reaches. It returns where the match
// ends, or -1.
func (m *machine) match(pc, at int) int {
	bottom := len(m.stack)
	defer func() { m.stack = m.stack[:bottom] }()
	for {
		if m.budget--; m.budget < 0 {
			return -1
		}
		in := &m.program[pc]
		ok := true
		switch in.op {
		case opMatch:
			return at
		case opSet:
			at, ok = m.step(in.set, at)
			pc++
		case opRun:
			at, ok = m.run(in, pc, at, 0)
			pc++
		case opSplit:
			m.stack = append(m.stack, choice{pc: in.other, at: at})
			pc = in.next
		case opJump:
			pc = in.next
		case opAtomic:
			at = m.match(pc+1, at)
			ok, pc = at >= 0, in.other
		case opAhead:
			ok, pc = (m.match(pc+1, at) >= 0) != in.not, in.other
		}
		if !ok {
			if pc, at = m.back(bottom); pc < 0 {
				return -1
			}
		}
	}
}

// step consumes one character of s.
func (m *machine) step(s *set, at int) (int, bool) {
	if at == len(m.text) {
		return at, false
	}
	if b := m.text[at]; b < utf8.RuneSelf {
		return at + 1, s.has(rune(b))
	}
	r, size := utf8.DecodeRuneInString(m.text[at:])
	return at + size, s.has(r)
}

// run consumes characters of in.set, of which it has taken some already, and notes where else it could have ended.
func (m *machine) run(in *instruction, pc, at, taken int) (int, bool) {
	floor := at
	for in.max < 0 || taken < in.max {
		if in.lazy && taken >= in.min {
			m.stack = append(m.stack, choice{pc: pc, at: at, count: taken, run: true})
			return at, true
		}
		next, ok := m.step(in.set, at)
		if !ok {
			break
		}
		m.budget--
		at = next
		taken++
		if taken <= in.min {
			floor = at
		}
	}
	if taken < in.min {
		return at, false
	}
	if at > floor && !in.lazy {
		m.stack = append(m.stack, choice{pc: pc, at: at, floor: floor, run: true})
	}
	return at, true
}

// back takes up the latest choice above bottom; pc is -1 where none is left.
func (m *machine) back(bottom int) (pc, at int) {
	for len(m.stack) > bottom {
		top := &m.stack[len(m.stack)-1]
		if !top.run {
			pc, at = top.pc, top.at
			m.stack = m.stack[:len(m.stack)-1]
			return pc, at
		}
		in := &m.program[top.pc]
		if !in.lazy { // give back one character
			_, size := utf8.DecodeLastRuneInString(m.text[:top.at])
			top.at -= size
			pc, at = top.pc+1, top.at
			if top.at <= top.floor {
				m.stack = m.stack[:len(m.stack)-1]
			}
			return pc, at
		}
		c := *top // take one more
		m.stack = m.stack[:len(m.stack)-1]
		if next, ok := m.step(in.set, c.at); ok {
			if in.max < 0 || c.count+1 < in.max {
				m.stack = append(m.stack, choice{pc: c.pc, at: next, count: c.count + 1, run: true})
			}
			return c.pc + 1, next
		}
	}
	return -1, -1
}
