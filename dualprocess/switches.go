package dualprocess

import (
	"context"

	"github.com/dualprocess/dualprocess-go/backends"
)

// suppose measures the update, whose phase is the last one, with the switches.
func (p *planner) suppose(ctx context.Context) error {
	s := supposition{p, ctx, p.Runtime.Offloads(), p.needs.Phases[len(p.needs.Phases)-1].Peak(), nil}
	defer s.suppose(backends.CheckpointAuto, s.offloads)
	var recomputed int64
	p.needs.Kept, _ = s.update(backends.CheckpointOff, s.offloads)
	p.needs.Recomputed, recomputed = s.update(backends.CheckpointOn, s.offloads)
	s.try("Checkpoint: backends.CheckpointOn, of both models", recomputed)
	if batch := p.Batch; batch > 1 {
		p.Batch = 1
		_, one := s.update(backends.CheckpointOn, s.offloads)
		s.try("the same and Batch: 1, with Accumulate in its place", one)
		p.Batch = batch
	}
	if !p.Split {
		s.split()
	}
	return s.err
}

// supposition is an update with other settings than the task's.
type supposition struct {
	*planner
	ctx      context.Context
	offloads bool  // the runtime does
	now      int64 // bytes at once as the task is
	err      error // the first
}

// suppose has the models decide so from now on.
func (s *supposition) suppose(c backends.Checkpointing, offload bool) {
	s.Runtime.Suppose(c, offload)
	s.exam.runtime.Suppose(c, offload)
}

// update says what an update would work in, and have at once.
func (s *supposition) update(c backends.Checkpointing, offload bool) (working, peak int64) {
	s.suppose(c, offload)
	cost, err := s.measureGradients(s.ctx, &s.outline, s.Runtime)
	if s.err == nil {
		s.err = err
	}
	return cost.Bytes(), s.besides() + weightsOf(s.Runtime, cost) + cost.Bytes()
}

// try notes a setting that helps.
func (s *supposition) try(setting string, peak int64) {
	if peak < s.now {
		s.needs.Switches = append(s.needs.Switches, Switch{setting, peak})
	}
}

// split tries what needs Split.
func (s *supposition) split() {
	s.planner.split()
	_, halves := s.update(backends.CheckpointAuto, s.offloads)
	_, recomputed := s.update(backends.CheckpointOn, s.offloads)
	if s.try("Split", halves); recomputed < halves {
		s.try("Split and Checkpoint: backends.CheckpointOn, of both models", recomputed)
	}
	if s.offloads {
		return
	}
	if _, apart := s.update(backends.CheckpointOn, true); apart < min(halves, recomputed) {
		s.try("Split, CheckpointOn and Offload of backends.Options", apart)
	}
}

// split has the programs of an update that is split from now on.
func (p *planner) split() {
	p.programs.close()
	p.Split = true
	p.programs = p.newPrograms()
}
