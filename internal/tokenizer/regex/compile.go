package regex

import "fmt"

// op is what an instruction does.
type op int

const (
	opMatch  op = iota // the end of a pattern, or of a part that runs by itself
	opSet              // consume one character of set
	opRun              // consume from min to max characters of set
	opSplit            // go on at next; if that fails, at other
	opJump             // go on at next
	opAtomic           // run the part up to other by itself; go on at other, behind what it consumed
	opAhead            // run the part up to other by itself; go on at other, here, if it matched (didn't, for not)
)

type instruction struct {
	op          op
	set         *set
	next, other int
	min, max    int
	lazy, not   bool
}

// maxProgram bounds the instructions of a pattern: repetitions of groups are written out.
const maxProgram = 20_000

type compiler struct {
	out []instruction
}

func compile(n node) ([]instruction, error) {
	c := &compiler{}
	if n.kind == kindConcat && len(n.subs) > maxProgram/2 { // Literal's; a parsed pattern is shorter than maxPattern
		c.out = make([]instruction, 0, len(n.subs)+1)
	}
	if err := c.add(n); err != nil {
		return nil, err
	}
	c.emit(instruction{op: opMatch})
	return c.out, nil
}

func (c *compiler) emit(i instruction) int {
	c.out = append(c.out, i)
	return len(c.out) - 1
}

func (c *compiler) add(n node) error {
	if len(c.out) > maxProgram {
		return fmt.Errorf("%w: too large", ErrSyntax)
	}
	switch n.kind {
	case kindSet:
		c.emit(instruction{op: opSet, set: n.set})
	case kindConcat:
		for _, s := range n.subs {
			if err := c.add(s); err != nil {
				return err
			}
		}
	case kindAlt:
		return c.alternatives(n.subs)
	case kindRepeat:
		if n.possessive {
			n.possessive = false
			return c.part(instruction{op: opAtomic}, n)
		}
		return c.repeat(n)
	case kindAtomic:
		return c.part(instruction{op: opAtomic}, n.subs[0])
	case kindAhead:
		return c.part(instruction{op: opAhead, not: n.not}, n.subs[0])
	}
	return nil
}

// part compiles n to run by itself under i.
func (c *compiler) part(i instruction, n node) error {
	at := c.emit(i)
	err := c.add(n)
	c.emit(instruction{op: opMatch})
	c.out[at].other = len(c.out)
	return err
}

func (c *compiler) alternatives(subs []node) error {
	var ends []int
	for k, s := range subs {
		split := -1
		if k < len(subs)-1 {
			split = c.emit(instruction{op: opSplit})
			c.out[split].next = split + 1
		}
		if err := c.add(s); err != nil {
			return err
		}
		if split >= 0 {
			ends = append(ends, c.emit(instruction{op: opJump}))
			c.out[split].other = len(c.out)
		}
	}
	for _, e := range ends {
		c.out[e].next = len(c.out)
	}
	return nil
}

// repeat compiles a quantifier: characters as one instruction, groups written out.
func (c *compiler) repeat(n node) error {
	sub := n.subs[0]
	if sub.kind == kindSet {
		c.emit(instruction{op: opRun, set: sub.set, min: n.min, max: n.max, lazy: n.lazy})
		return nil
	}
	for range n.min {
		if err := c.add(sub); err != nil {
			return err
		}
	}
	if n.max < 0 {
		split := c.split(n.lazy)
		if err := c.add(sub); err != nil {
			return err
		}
		c.emit(instruction{op: opJump, next: split})
		c.skipTo(split, n.lazy)
		return nil
	}
	var splits []int
	for range n.max - n.min {
		splits = append(splits, c.split(n.lazy))
		if err := c.add(sub); err != nil {
			return err
		}
	}
	for _, s := range splits {
		c.skipTo(s, n.lazy)
	}
	return nil
}

// split begins an optional part; skipTo ends it.
func (c *compiler) split(lazy bool) int {
	at := c.emit(instruction{op: opSplit})
	if lazy {
		c.out[at].other = at + 1
	} else {
		c.out[at].next = at + 1
	}
	return at
}

func (c *compiler) skipTo(split int, lazy bool) {
	if lazy {
		c.out[split].next = len(c.out)
	} else {
		c.out[split].other = len(c.out)
	}
}
