package dualprocess

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// errTorn says that a file is no whole checkpoint.
var errTorn = errors.New("damaged")

// savedFormat is the version of the files, in their header.
const savedFormat = "dualprocess-checkpoint-2"

// savedNames are the names of the tensors, in the order of the digest: the adapter's
// vector, both moments, and, if any, the vectors of the best validation and the anchor.
var savedNames = []string{"vector", "m", "v", "best", "anchor"}

// saved is all that a training needs to go on: a safetensors file whose header has
// the numbers that are no tensors.
type saved struct {
	identity identity
	progress progress
	adapter  *lora.Adapter              // as it is; nil in one that was read
	tensors  []safetensors.Tensor       // to be written
	vectors  map[string]*tensors.Tensor // that were read, by savedNames
}

// progress is where a training is, but for its tensors.
type progress struct {
	Made         int  `json:"made"`     // updates
	Judged       bool `json:"judged"`   // StopAt has looked at the last of them
	Finished     bool `json:"finished"` // there is nothing more to do
	Taken        int  `json:"taken"`
	Skipped      int  `json:"skipped"`
	SkippedInRow int  `json:"skippedInRow"`

	Draws place `json:"draws"`

	Recent []float64 `json:"recent"`          // of the stopper
	BestP  *float64  `json:"bestP,omitempty"` // nil: none, or not a number
	Hacked bool      `json:"hacked,omitempty"`

	Seconds float64 `json:"seconds"` // that it took so far
}

// save copies the training as it is after the last update to the host.
func (d *distiller) save() (s *saved, err error) {
	s = &saved{identity: d.identity}
	s.progress = progress{
		Made: d.made, Judged: d.judged, Finished: d.finished, Taken: d.state.taken, Skipped: d.skipped, SkippedInRow: d.skippedInRow,
		Draws: d.place, Recent: d.stop.recent, Seconds: time.Since(d.clock.began).Seconds(),
	}
	vectors := map[string]*tensors.Tensor{"vector": d.state.vector, "m": d.state.m, "v": d.state.v, "anchor": d.anchor}
	if d.stop.best != nil {
		if p := d.stop.bestP; !math.IsNaN(p) {
			s.progress.BestP = &p
		}
		s.progress.Hacked = d.stop.hacked
		vectors["best"] = d.stop.best.Vector()
	}
	for _, name := range savedNames {
		if vectors[name] == nil {
			continue
		}
		made, err := safetensors.FromTensor(name, vectors[name])
		if err != nil {
			return nil, err
		}
		s.tensors = append(s.tensors, made)
	}
	s.adapter, err = d.snapshot()
	return s, err
}

func (s *saved) name() string { return checkpointName(s.progress.Made) }

// metadata is the header of the file.
func (s *saved) metadata() (map[string]string, error) {
	id, err := json.Marshal(s.identity)
	if err != nil {
		return nil, err
	}
	p, err := json.Marshal(s.progress)
	if err != nil {
		return nil, err
	}
	header := map[string]string{"format": savedFormat, "task": string(id), "progress": string(p)}
	sum := newSavedDigest(header)
	for _, t := range s.tensors {
		sum.savedTensor(t.Name, t.Data)
	}
	header["sha256"] = sum.String()
	return header, nil
}

// newSavedDigest begins the digest of a file with its header.
func newSavedDigest(header map[string]string) digest {
	sum := newDigest()
	fmt.Fprintf(sum, "%s\n%s\n", header["task"], header["progress"]) // a hash never fails
	return sum
}

// savedTensor adds a tensor of a file.
func (d digest) savedTensor(name string, data []byte) {
	d.Write([]byte(name))
	d.Write(data)
}

func (s *saved) writeFile(path string) error {
	header, err := s.metadata()
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, s.tensors, header)
}

func (s *saved) writeTo(w io.Writer) (int64, error) {
	header, err := s.metadata()
	if err != nil {
		return 0, err
	}
	count := &counter{w: w}
	err = safetensors.Write(count, s.tensors, header)
	return count.n, err
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// readSaved reads a file. Its error wraps errTorn if the file is not what was
// written, and ErrCheckpoint if it is from another version.
func readSaved(path string) (*saved, error) {
	f, err := safetensors.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	defer f.Close()
	header := f.Metadata()
	if got := header["format"]; got != savedFormat {
		return nil, fmt.Errorf("%w: its format is %q, want %q", ErrCheckpoint, got, savedFormat)
	}
	s := &saved{vectors: map[string]*tensors.Tensor{}}
	for _, part := range []struct {
		key string
		to  any
	}{{"task", &s.identity}, {"progress", &s.progress}} {
		if err := json.Unmarshal([]byte(header[part.key]), part.to); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errTorn, part.key, err)
		}
	}
	return s, s.readTensors(f, header)
}

// readTensors reads the vectors, and compares the digest of everything.
func (s *saved) readTensors(f *safetensors.File, header map[string]string) error {
	sum := newSavedDigest(header)
	for _, name := range savedNames {
		if _, ok := f.Info(name); !ok {
			continue
		}
		data, err := f.Bytes(name)
		if err != nil {
			return fmt.Errorf("%w: %w", errTorn, err)
		}
		if s.vectors[name], err = f.Tensor(name); err != nil {
			return fmt.Errorf("%w: %w", errTorn, err)
		}
		sum.savedTensor(name, data)
	}
	if header["sha256"] != sum.String() || len(s.vectors) != len(f.Tensors()) {
		return fmt.Errorf("%w: its contents are not those that were written", errTorn)
	}
	return nil
}

// restore puts a training where one that was saved is.
func (d *distiller) restore(s *saved) error {
	if err := d.identity.differs(s.identity); err != nil {
		return err
	}
	for _, name := range savedNames {
		if s.vectors[name] == nil && (name == "best" || name == "anchor" && d.anchor == nil) {
			continue
		}
		a, err := d.adapter.WithVector(s.vectors[name]) // checks shapes and numbers
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCheckpoint, name, err)
		}
		if name == "best" {
			d.stop.best = a
		}
	}
	d.anchor = s.vectors["anchor"]
	if err := d.draws.goTo(s.progress.Draws); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	p := s.progress
	d.state = state{vector: s.vectors["vector"], m: s.vectors["m"], v: s.vectors["v"], taken: p.Taken}
	d.made, d.kept, d.judged, d.finished, d.skipped, d.skippedInRow = p.Made, p.Made, p.Judged, p.Finished, p.Skipped, p.SkippedInRow
	d.place, d.stop.recent = p.Draws, p.Recent
	d.stop.bestP, d.stop.hacked = math.NaN(), p.Hacked
	if p.BestP != nil {
		d.stop.bestP = *p.BestP
	}
	d.clock.began = d.clock.began.Add(-time.Duration(p.Seconds * float64(time.Second)))
	return nil
}
