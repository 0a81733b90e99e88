package weights

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/parallel"
)

// ErrNotFinite says that a parameter has numbers that are NaN or infinite.
var ErrNotFinite = errors.New("not finite")

// Matrix is the weight of a linear layer. Scale is float32 [out], by which the rows of
// Values are to be multiplied where these are int8; nil where they are as in the file.
type Matrix struct {
	Values, Scale *model.Variable
}

// Matrix returns the weight called name below the cursor, [out, in]: in int8 if the
// checkpoint is read so and the layer is one that bears it.
func (c Cursor) Matrix(name string, out, in int) Matrix {
	checkpoint, ok := c.source.(*Checkpoint)
	if !ok || !checkpoint.int8 || !bearsInt8(c.Path(name)) {
		return Matrix{Values: c.Variable(name, out, in)}
	}
	m, err := checkpoint.matrix(c.Path(name), out, in)
	if err != nil {
		*c.errs = append(*c.errs, err)
	}
	return m
}

// kept are words in the names of layers that stay as they are: few numbers, on which much
// depends.
var kept = []string{"norm", "modulation", "emb", "merger"}

// bearsInt8 says whether a layer is one of many alike: within a block, which has a number
// in a list. The first and the last layers of networks are in none.
func bearsInt8(name string) bool {
	numbered := false
	for element := range strings.SplitSeq(strings.ToLower(name), ".") {
		if _, err := strconv.Atoi(element); err == nil {
			numbered = true
		}
		for _, word := range kept {
			if strings.Contains(element, word) {
				return false
			}
		}
	}
	return numbered
}

// matrix makes the variables of a weight in int8.
func (c *Checkpoint) matrix(name string, out, in int) (m Matrix, err error) {
	if _, err := c.info(name, out, in); err != nil {
		return m, err
	}
	if m, ok := c.used[name]; ok {
		return m, nil
	}
	full := c.path(name)
	if c.runtime != nil && c.runtime.Sketched() {
		m.Values = c.outline(shapes.Make(dtypes.Int8, out, in), full)
		m.Scale = c.outline(shapes.Make(dtypes.Float32, out), full+scaleSuffix)
	} else {
		m, err = c.quantized(name, full, out, in)
	}
	if err != nil {
		return Matrix{}, err
	}
	c.used[name] = m
	return m, nil
}

// scaleSuffix is behind the name of the values.
const scaleSuffix = "_scale"

// quantized reads a tensor and rounds it.
func (c *Checkpoint) quantized(name, full string, out, in int) (m Matrix, err error) {
	values, err := c.file.Float32s(name)
	if err != nil {
		return m, fmt.Errorf("weights: %w", err)
	}
	c.file.Drop(name)
	whole, scale := Int8(values, out)
	for row, s := range scale {
		if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) {
			return m, fmt.Errorf("weights: %s: %w: %q, row %d", c.file.Name(), ErrNotFinite, name, row)
		}
	}
	if m.Values, err = c.keep(full, tensors.FromFlatDataAndDimensions(whole, out, in)); err != nil {
		return Matrix{}, err
	}
	m.Scale, err = c.keep(full+scaleSuffix, tensors.FromFlatDataAndDimensions(scale, out))
	return m, err
}

// Int8 rounds the numbers of each row to whole ones from -127 to 127, and returns what
// each row is to be multiplied by to come back. A row of zeros has the scale 0, one with
// a number that is not finite has a scale that is not.
func Int8(values []float32, rows int) (whole []int8, scale []float32) {
	whole, scale = make([]int8, len(values)), make([]float32, rows)
	width := len(values) / rows
	parallel.Each(rows, func(row int) {
		scale[row] = int8Row(values[row*width:(row+1)*width], whole[row*width:(row+1)*width])
	})
	return whole, scale
}

func int8Row(values []float32, whole []int8) (scale float32) {
	largest := float32(0)
	for _, x := range values {
		if math.IsNaN(float64(x)) {
			return x
		}
		largest = max(largest, x, -x)
	}
	if largest == 0 || largest > math.MaxFloat32 {
		return largest
	}
	scale = largest / 127
	for i, x := range values {
		whole[i] = int8(math.RoundToEven(float64(x) / float64(scale)))
	}
	return scale
}
