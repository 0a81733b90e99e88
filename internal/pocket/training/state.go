package training

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// groups are the kinds of numbers that a state file keeps, per parameter.
func (f *fit) groups() map[string][]*model.Variable {
	return map[string][]*model.Variable{
		"weight": f.source.vars, "momentum": f.momentum, "second": f.second, "average": f.average,
	}
}

// path of the state of one plan.
func (o Options) path(name string) string { return filepath.Join(o.Dir, name+".safetensors") }

// averagePrefix of the weights that count when the training is over.
const averagePrefix = "average/"

// loadAverage sets the variables to the averaged weights of a state file, frozen.
func (s *initial) loadAverage(path string) error {
	file, err := safetensors.OpenFile(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for i, v := range s.vars {
		values, err := file.Float32s(averagePrefix + s.names[i])
		if err != nil {
			return err
		}
		if len(values) != v.Shape().Size() {
			return fmt.Errorf("%s has %d numbers, want %s", s.names[i], len(values), v.Shape())
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			return err
		}
		v.SetTrainable(false)
	}
	return nil
}

// save writes all that is needed to go on: a stop between two saves costs the
// steps between them and nothing else.
func (f *fit) save(o Options) error {
	var list []safetensors.Tensor
	for group, vars := range f.groups() {
		for i, v := range vars {
			t, err := variableTensor(group+"/"+f.source.names[i], v)
			if err != nil {
				return err
			}
			list = append(list, t)
		}
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	return safetensors.WriteFile(o.path(f.plan.name), list, map[string]string{"step": strconv.Itoa(f.step)})
}

// variableTensor is a copy of a float32 variable, for a file.
func variableTensor(name string, v *model.Variable) (safetensors.Tensor, error) {
	value, err := v.Value()
	if err != nil {
		return safetensors.Tensor{}, fmt.Errorf("training: %s: %w", name, err)
	}
	t := safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: v.Shape().Dimensions}
	err = value.ConstBytes(func(data []byte) { t.Data = append([]byte(nil), data...) })
	return t, err
}

// resume reads what save wrote, if it was ever called.
func (f *fit) resume(o Options) error {
	file, err := safetensors.OpenFile(o.path(f.plan.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("training: resume: %w", err)
	}
	defer file.Close()
	for group, vars := range f.groups() {
		for i, v := range vars {
			name := group + "/" + f.source.names[i]
			values, err := file.Float32s(name)
			if err != nil {
				return fmt.Errorf("training: resume: %w", err)
			}
			if len(values) != v.Shape().Size() {
				return fmt.Errorf("training: resume: %s has %d numbers, want %s: remove %s to start anew",
					name, len(values), v.Shape(), o.path(f.plan.name))
			}
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
				return fmt.Errorf("training: resume %s: %w", name, err)
			}
		}
	}
	f.step, err = strconv.Atoi(file.Metadata()["step"])
	if err != nil {
		return fmt.Errorf("training: resume: %s: %w", o.path(f.plan.name), err)
	}
	return nil
}
