package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
)

// Load opens the checkpoint in folder dir, lets build ask for its parameters,
// and reports everything that is missing, misshapen or surplus. known accepts
// tensors that real checkpoints carry and the model has no use for; nil accepts
// none.
func Load(fsys fs.FS, dir string, store *model.Store, root string, known func(name string) bool, build func(Cursor)) error {
	return load(nil, store, fsys, dir, root, known, build)
}

// LoadTo is Load for models in use: each tensor goes from the mapped file to the
// runtime's device at once, and is never elsewhere in memory, unless the runtime
// offloads; and it may run while other goroutines compute on the runtime.
func LoadTo(rt *backends.Runtime, fsys fs.FS, dir, root string, known func(name string) bool, build func(Cursor)) error {
	return load(rt, rt.Store, fsys, dir, root, known, build)
}

func load(rt *backends.Runtime, store *model.Store, fsys fs.FS, dir, root string, known func(name string) bool, build func(Cursor)) error {
	checkpoint, err := Open(fsys, dir, store, root)
	if err != nil {
		return err
	}
	checkpoint.runtime = rt
	checkpoint.widened = rt != nil && rt.DType == dtypes.Float32 && checkpoint.halves() <= smallHalves
	if err := checkpoint.fits(); err != nil {
		return errors.Join(err, checkpoint.file.Close())
	}
	cursor := NewCursor(checkpoint)
	build(cursor)
	return errors.Join(checkpoint.summed(*cursor.errs), checkpoint.Close(known))
}

// smallHalves is how many bytes of weights in half precision become float32 at once where
// that is computed in, for as much more memory: else every program has instructions for the
// conversion of every weight, which take longer to compile than all else of a small model.
const smallHalves = 64 << 20

// halves is the size of all tensors in half precision.
func (c *Checkpoint) halves() (total int64) {
	for _, t := range c.file.Tensors() {
		if t.DType.GoMLX().IsHalfPrecision() {
			total += t.End - t.Begin
		}
	}
	return total
}

// fits returns an error unless the device has room for the tensors.
func (c *Checkpoint) fits() error {
	total := int64(0)
	for _, t := range c.file.Tensors() {
		if c.int8 && len(t.Shape) == 2 && bearsInt8(t.Name) {
			total += int64(t.Elements() + 4*t.Shape[0])
		} else {
			total += t.End - t.Begin
		}
	}
	if c.runtime == nil || c.runtime.Sketched() || c.runtime.Offloads() || c.runtime.Fits(total) {
		return nil
	}
	const gib = 1 << 30
	return fmt.Errorf("weights: %s: %w: %.3g GiB, and %.3g GiB are free", c.file.Name(), backends.ErrMemory,
		float64(total)/gib, float64(c.runtime.Free())/gib)
}

// Root returns path, or path with a number where the store has that tree already:
// two models must never share a variable. It is for tests; what is open to users has
// a backends.Model.
func Root(store *model.Store, path string) string {
	taken := func(root string) bool {
		for v := range store.IterVariables() {
			if strings.HasPrefix(v.Path(), root+"/") {
				return true
			}
		}
		return false
	}
	root := path
	for n := 2; taken(root); n++ {
		root = fmt.Sprintf("%s%d", path, n)
	}
	return root
}
