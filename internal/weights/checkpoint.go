package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Errors of loading a checkpoint.
var (
	// ErrMissing says that the checkpoint lacks a parameter that its configuration implies.
	ErrMissing = errors.New("missing tensor")
	// ErrShape says that a parameter has another shape than its configuration implies.
	ErrShape = errors.New("tensor of a wrong shape")
	// ErrSurplus says that the checkpoint holds tensors that the model does not know.
	ErrSurplus = errors.New("unknown tensor")
)

// file is a checkpoint in one file or in shards.
type file interface {
	Name() string
	Info(name string) (safetensors.Info, bool)
	TensorOn(backend compute.Backend, name string) (*tensors.Tensor, error)
	Float32s(name string) ([]float32, error)
	Tensors() []safetensors.Info
	Drop(name string)
	Close() error
}

// Checkpoint is a Source that loads tensors into a store, in the dtype of the
// file and frozen, under a root of its own.
type Checkpoint struct {
	file    file
	runtime *backends.Runtime // on whose device the tensors go, unless it offloads; nil leaves them on the host
	store   *model.Store
	root    string
	int8    bool              // the weights of linear layers that bear it
	widened bool              // what is of half precision becomes float32
	used    map[string]Matrix // variables of the tensors asked for, with a scale where there is one
}

// Explain adds to the error of a model that could not be opened for want of a file that
// its folder has no weights either, where that is so: a folder of another kind.
func Explain(fsys fs.FS, dir string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, none := hf.FindWeights(fsys, dir); none != nil && !strings.Contains(err.Error(), none.Error()) {
		return errors.Join(err, none)
	}
	return err
}

// Open opens the checkpoint in folder dir of fsys: a .safetensors file under one
// of the usual names, or the index of its shards. Its tensors become variables
// of store below root, which must be new to the store.
func Open(fsys fs.FS, dir string, store *model.Store, root string) (*Checkpoint, error) {
	name, err := hf.FindWeights(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	f, err := open(fsys, name)
	if err != nil {
		return nil, err
	}
	return &Checkpoint{file: f, store: store, root: root, int8: hf.Int8(fsys), used: map[string]Matrix{}}, nil
}

func open(fsys fs.FS, name string) (file, error) {
	if strings.HasSuffix(name, ".json") {
		return safetensors.OpenIndex(fsys, name)
	}
	return safetensors.Open(fsys, name)
}

// Variable implements Source. A parameter that is asked for twice, as tied
// weights are, is loaded once.
func (c *Checkpoint) Variable(name string, dims ...int) (*model.Variable, error) {
	info, err := c.info(name, dims...)
	if err != nil {
		return nil, err
	}
	if m, ok := c.used[name]; ok {
		return m.Values, nil
	}
	full := c.path(name)
	if c.runtime != nil && c.runtime.Sketched() {
		v := c.outline(shapes.Make(c.dtype(info), dims...), full)
		c.used[name] = Matrix{Values: v}
		return v, nil
	}
	v, err := c.create(info, full)
	if err != nil {
		return nil, err
	}
	c.file.Drop(name)
	c.used[name] = Matrix{Values: v}
	return v, nil
}

// info describes a tensor, whose shape must be dims.
func (c *Checkpoint) info(name string, dims ...int) (safetensors.Info, error) {
	info, ok := c.file.Info(name)
	if !ok {
		return info, &missing{Tensor{name, dims}}
	}
	if !slices.Equal(info.Shape, dims) {
		return info, fmt.Errorf("weights: %s: %w: %q is %v, want %v", c.file.Name(), ErrShape, name, info.Shape, dims)
	}
	return info, nil
}

// path of a tensor's variable.
func (c *Checkpoint) path(name string) string { return c.root + "/" + model.EscapeScopeName(name) }

// outline makes a variable of a shape alone.
func (c *Checkpoint) outline(shape shapes.Shape, full string) *model.Variable {
	defer c.runtime.Changing()()
	return c.store.VariableWithShape(full, shape, nil).SetTrainable(false)
}

// dtype is that of a tensor's variable.
func (c *Checkpoint) dtype(info safetensors.Info) dtypes.DType {
	if t := info.DType.GoMLX(); !c.widened || !t.IsHalfPrecision() {
		return t
	}
	return dtypes.Float32
}

// create makes a frozen variable of a tensor.
func (c *Checkpoint) create(info safetensors.Info, full string) (*model.Variable, error) {
	if c.dtype(info) != info.DType.GoMLX() {
		values, err := c.file.Float32s(info.Name)
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
		return c.keep(full, tensors.FromFlatDataAndDimensions(values, info.Shape...))
	}
	var backend compute.Backend
	if c.runtime != nil && !c.runtime.Offloads() {
		backend = c.runtime.Backend
	}
	value, err := c.file.TensorOn(backend, info.Name)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	return c.keep(full, value)
}

// keep makes a frozen variable of values.
func (c *Checkpoint) keep(full string, value *tensors.Tensor) (*model.Variable, error) {
	if c.runtime != nil {
		defer c.runtime.Changing()()
	}
	v, err := c.store.CreateVariable(full, value)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", full, err)
	}
	return v.SetTrainable(false), nil
}

// Close closes the files, which the variables no longer need. It reports the
// tensors that nobody asked for, but for those that known accepts.
func (c *Checkpoint) Close(known func(name string) bool) error {
	var surplus []string
	for _, info := range c.file.Tensors() {
		if c.used[info.Name].Values == nil && (known == nil || !known(info.Name)) {
			surplus = append(surplus, info.Name)
		}
	}
	err := c.file.Close()
	if len(surplus) == 0 {
		return err
	}
	return errors.Join(err, fmt.Errorf("weights: %s: %w %s", c.file.Name(), ErrSurplus, some(surplus)))
}
