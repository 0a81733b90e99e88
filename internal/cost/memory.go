package cost

// peak is the most bytes of results at once, but for inputs and outputs.
func (p *program) peak() int64 {
	p.fuse()
	p.live()
	ends := make([][]*op, len(p.ops)) // by the place of the last use
	for _, o := range p.ops {
		if o.scratch() {
			ends[o.last] = append(ends[o.last], o)
		}
	}
	now, most := int64(0), int64(0)
	for k, o := range p.ops {
		if o.scratch() {
			now += o.bytes
			most = max(most, now-o.inPlace(k))
		}
		for _, done := range ends[k] {
			now -= done.bytes
		}
	}
	return most
}

// scratch says whether the result needs memory of the program's own.
func (o *op) scratch() bool { return o.written && !o.output && o.kind() != given }

// inPlace is what an operation at place k saves by writing over an input that nothing
// reads any more: only what goes number by number can.
func (o *op) inPlace(k int) int64 {
	if o.kind() > dear {
		return 0
	}
	for _, in := range o.inputs {
		if in.scratch() && in.last == k && in.bytes == o.bytes {
			return o.bytes
		}
	}
	return 0
}

// live finds where each result is last read: in the places of those users that read it
// from memory, and of those for which it is computed again.
func (p *program) live() {
	for k, o := range p.ops {
		o.last, o.needed = k, k
	}
	for k := len(p.ops) - 1; k >= 0; k-- {
		o := p.ops[k]
		at := k // the last place at which the inputs are read
		if o.again || o.within {
			at = o.needed
		}
		for _, in := range o.inputs {
			in.needed = max(in.needed, at)
			if o.reads(in) {
				in.last = max(in.last, at)
			}
		}
	}
}

// reads says whether an operation reads an input from memory, and does not compute it
// again.
func (o *op) reads(in *op) bool { return in.written && (!in.again || o.kind() >= reduce || o.within) }
