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
		}
		most = max(most, now-o.inPlace(k))
		for _, done := range ends[k] {
			now -= done.bytes
		}
	}
	return most
}

// scratch says whether the result needs memory of the program's own.
func (o *op) scratch() bool {
	return !o.fused && !o.output && kinds[o.node.Type()] != given
}

// inPlace is what an operation at place k saves by writing over an input that nothing
// reads any more: only what goes number by number can.
func (o *op) inPlace(k int) int64 {
	if o.fused || kinds[o.node.Type()] == whole {
		return 0
	}
	for _, in := range o.inputs {
		if in.scratch() && in.last == k && in.bytes == o.bytes {
			return o.bytes
		}
	}
	return 0
}

// live finds the place of each result's last use: what is fused reads its inputs where
// its users do.
func (p *program) live() {
	for k, o := range p.ops {
		o.last = k
	}
	for k := len(p.ops) - 1; k >= 0; k-- {
		o := p.ops[k]
		at := k
		if o.fused {
			at = o.last
		}
		for _, in := range o.inputs {
			in.last = max(in.last, at)
		}
	}
}
