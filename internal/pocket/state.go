package pocket

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

func (f *fit) path(dir string) string { return filepath.Join(dir, f.plan.name+".safetensors") }

// save writes all that is needed to go on: a stop between two saves costs the
// steps between them and nothing else.
func (f *fit) save(dir string) error {
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pocket: %w", err)
	}
	return safetensors.WriteFile(f.path(dir), list, map[string]string{"step": strconv.Itoa(f.step)})
}

// variableTensor is a copy of a float32 variable, for a file.
func variableTensor(name string, v *model.Variable) (safetensors.Tensor, error) {
	value, err := v.Value()
	if err != nil {
		return safetensors.Tensor{}, fmt.Errorf("pocket: %s: %w", name, err)
	}
	t := safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: v.Shape().Dimensions}
	err = value.ConstBytes(func(data []byte) { t.Data = append([]byte(nil), data...) })
	return t, err
}

// resume reads what save wrote, if it was ever called.
func (f *fit) resume(dir string) error {
	file, err := safetensors.OpenFile(f.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pocket: resume: %w", err)
	}
	defer file.Close()
	for group, vars := range f.groups() {
		for i, v := range vars {
			name := group + "/" + f.source.names[i]
			values, err := file.Float32s(name)
			if err != nil {
				return fmt.Errorf("pocket: resume: %w", err)
			}
			if len(values) != v.Shape().Size() {
				return fmt.Errorf("pocket: resume: %s has %d numbers, want %s: remove %s to start anew",
					name, len(values), v.Shape(), f.path(dir))
			}
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
				return fmt.Errorf("pocket: resume %s: %w", name, err)
			}
		}
	}
	f.step, err = strconv.Atoi(file.Metadata()["step"])
	if err != nil {
		return fmt.Errorf("pocket: resume: %s: %w", f.path(dir), err)
	}
	return nil
}
