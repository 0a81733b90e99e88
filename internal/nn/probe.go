package nn

import (
	"fmt"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Probe collects intermediate results of a graph under the names that the
// reference's modules have, so that tests can compare them one by one. It is a
// place in the tree of modules, as a weights.Cursor is. A nil Probe, which is
// what all but tests use, collects nothing and costs nothing.
type Probe struct {
	path string
	seen *Seen
}

// Seen is what a probe collected, in the order of the graph.
type Seen struct {
	Names []string
	Nodes []*Node
}

// NewProbe returns a probe at the root that collects into seen.
func NewProbe(seen *Seen) *Probe { return &Probe{seen: seen} }

// In returns the probe of a child: the path elements are joined by dots.
func (p *Probe) In(elements ...any) *Probe {
	if p == nil {
		return nil
	}
	return &Probe{p.name(elements), p.seen}
}

// See takes an output of the module down, or the one of a child, and returns it.
// A name that comes again gets "#2" at its end, and so on.
func (p *Probe) See(element any, x *Node) *Node {
	if p == nil {
		return x
	}
	p.seen.add(p.name([]any{element}), x)
	return x
}

func (p *Probe) name(elements []any) string {
	var parts []string
	if p.path != "" {
		parts = append(parts, p.path)
	}
	for _, e := range elements {
		if e != "" {
			parts = append(parts, fmt.Sprint(e))
		}
	}
	return strings.Join(parts, ".")
}

func (s *Seen) add(name string, x *Node) {
	full := name
	for n := 2; ; n++ {
		if !s.has(full) {
			break
		}
		full = fmt.Sprintf("%s#%d", name, n)
	}
	s.Names, s.Nodes = append(s.Names, full), append(s.Nodes, x)
}

func (s *Seen) has(name string) bool {
	for _, n := range s.Names {
		if n == name {
			return true
		}
	}
	return false
}
