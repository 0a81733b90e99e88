package lora

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// entry is what a file holds about one module.
type entry struct {
	module string // name as in the file
	a, b   *safetensors.Info
	mid    *safetensors.Info // of a convolution in three: 1×1 to rank, the kernel, 1×1 from rank
	alpha  *safetensors.Info // a scalar of the module's own
}

// ending is a way to name an adapter's tensors.
type ending struct {
	suffix string
	field  func(e *entry) **safetensors.Info
	mark   string // beginning of the suffix that stays in the module's name
}

func fieldA(e *entry) **safetensors.Info     { return &e.a }
func fieldB(e *entry) **safetensors.Info     { return &e.b }
func fieldMid(e *entry) **safetensors.Info   { return &e.mid }
func fieldAlpha(e *entry) **safetensors.Info { return &e.alpha }

var endings = []ending{
	{".lora_A.weight", fieldA, ""},           // PEFT, diffusers, ai-toolkit
	{".lora_B.weight", fieldB, ""},           //
	{".lora_A.default.weight", fieldA, ""},   // PEFT's state dict with the adapter's name left in
	{".lora_B.default.weight", fieldB, ""},   //
	{".lora.down.weight", fieldA, ""},        // diffusers before PEFT
	{".lora.up.weight", fieldB, ""},          //
	{"_lora.down.weight", fieldA, "_lora"},   // diffusers' attention processors, xlabs' single blocks
	{"_lora.up.weight", fieldB, "_lora"},     //
	{"_lora1.down.weight", fieldA, "_lora1"}, // xlabs: the picture's stream
	{"_lora1.up.weight", fieldB, "_lora1"},   //
	{"_lora2.down.weight", fieldA, "_lora2"}, // xlabs: the text's stream
	{"_lora2.up.weight", fieldB, "_lora2"},   //
	{".lora_down.weight", fieldA, ""},        // kohya, OneTrainer
	{".lora_up.weight", fieldB, ""},          //
	{".lora_mid.weight", fieldMid, ""},       // LyCORIS' convolutions in three
	{".alpha", fieldAlpha, ""},               // all
}

// unsupported are parts of the names of tensors that are an adapter's of another kind.
var unsupported = []struct{ part, kind string }{
	{"lora_magnitude_vector", "DoRA"}, {".dora_scale", "DoRA"},
	{".lora_A.bias", "a bias"}, {".lora_B.bias", "a bias"}, {".lora_down.bias", "a bias"}, {".lora_up.bias", "a bias"},
	{".diff_b", "a bias"}, {".b_norm", "a bias"},
	{".diff", "a full difference of weights"}, {".w_norm", "a full difference of weights"}, {".set_weight", "a full weight"},
	{".hada_", "LoHa"}, {".lokr_", "LoKr"}, {".oft_", "OFT"}, {".boft_", "BOFT"}, {".glora_", "GLoRA"}, {".on_input", "IA3"},
	{".a1.weight", "GLoRA"}, {".ia3_", "IA3"}, {".lora_embedding_", "an adapter of embeddings"}, {".scalar", "LyCORIS' scalar"},
}

// collect sorts a file's tensors by module.
func collect(infos []safetensors.Info) ([]*entry, error) {
	modules := map[string]*entry{}
	var list []*entry
	for _, info := range infos {
		module, field, err := ended(info.Name)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", info.Name, err)
		}
		e := modules[module]
		if e == nil {
			e = &entry{module: module}
			modules[module], list = e, append(list, e)
		}
		at := field(e)
		if *at != nil {
			return nil, fmt.Errorf("tensor %q: %w: says the same as %q", info.Name, ErrFormat, (*at).Name)
		}
		*at = &info
	}
	for _, e := range list {
		if e.a == nil || e.b == nil {
			return nil, fmt.Errorf("module %q: %w: has not both A and B, or down and up", e.module, ErrFormat)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no tensors", ErrFormat)
	}
	return list, nil
}

// ended returns the module's name of a tensor's, and which of its tensors it is.
func ended(name string) (string, func(e *entry) **safetensors.Info, error) {
	for _, ending := range endings {
		if module, ok := strings.CutSuffix(name, ending.suffix); ok && module != "" {
			return module + ending.mark, ending.field, nil
		}
	}
	for _, u := range unsupported {
		if strings.Contains(name, u.part) {
			return "", nil, fmt.Errorf("%w: %s: %w", ErrFormat, u.kind, errors.ErrUnsupported)
		}
	}
	return "", nil, fmt.Errorf("%w: not the name of an adapter's tensor", ErrFormat)
}

// shapeOf returns a part without numbers, of the module's name.
func shapeOf(e *entry) (part, error) {
	a, b := e.a.Shape, e.b.Shape
	p := part{Layer: Layer{Name: e.module}}
	wrong := fmt.Errorf("%w: shapes %v and %v", ErrFormat, a, b)
	switch {
	case len(a) == 2 && len(b) == 2:
	case len(a) == 4 && len(b) == 4 && b[2] == 1 && b[3] == 1:
		p.Kernel = [2]int{a[2], a[3]}
	default:
		return p, wrong
	}
	p.rank, p.In, p.Out = a[0], a[1], b[0]
	if e.mid != nil {
		mid := e.mid.Shape
		if p.Kernel != [2]int{1, 1} || len(mid) != 4 || mid[0] != p.rank || mid[1] != p.rank {
			return p, fmt.Errorf("%w: shapes %v, %v and %v", ErrFormat, a, mid, b)
		}
		p.Kernel = [2]int{mid[2], mid[3]}
	}
	if err := p.check(); err != nil || p.rank < 1 || b[1] != p.rank {
		return p, wrong
	}
	return p, nil
}

// readNumbers reads A and B of a part.
func (r *reader) readNumbers(e *entry, p *part) (err error) {
	if p.a, err = r.file.Float32s(e.a.Name); err != nil {
		return err
	}
	if e.mid != nil {
		mid, err := r.file.Float32s(e.mid.Name)
		if err != nil {
			return err
		}
		p.a = convolved(mid, p.a, *p)
	}
	if err := checkFinite(p.a); err != nil {
		return err
	}
	if p.b, err = r.file.Float32s(e.b.Name); err != nil {
		return err
	}
	if err := checkFinite(p.b); err != nil {
		return fmt.Errorf("its partner %q: %w", e.b.Name, err)
	}
	return nil
}

// convolved makes one convolution of two, a 1×1 and the kernel that follows it:
// A[i, c] = Σ_j mid[i, j]·down[j, c], for every place in the kernel.
func convolved(mid, down []float32, p part) []float32 {
	places := p.Kernel[0] * p.Kernel[1]
	out := make([]float32, p.rank*p.In*places)
	sums := make([]float64, places)
	for i := range p.rank {
		for c := range p.In {
			clear(sums)
			for j := range p.rank {
				factor := float64(down[j*p.In+c])
				for k := range places {
					sums[k] += float64(mid[(i*p.rank+j)*places+k]) * factor
				}
			}
			for k, sum := range sums {
				out[(i*p.In+c)*places+k] = float32(sum)
			}
		}
	}
	return out
}

// alpha returns a part's alpha: at weight 1, where the file has it at the weight
// that its scale 1 stands for.
func (r *reader) alpha(e *entry, p part) (float64, error) {
	alpha := float64(p.rank)
	var err error
	switch {
	case e.alpha != nil:
		alpha, err = r.number(e.alpha)
	case r.config != nil:
		alpha, err = r.config.alpha(p.Name, p.rank)
	}
	if err != nil {
		return 0, err
	}
	return alpha, checkAlpha(alpha)
}

// number reads the single number of a tensor of any type.
func (r *reader) number(info *safetensors.Info) (float64, error) {
	if info.Elements() != 1 {
		return 0, fmt.Errorf("%w: alpha %q is no single number", ErrFormat, info.Name)
	}
	data, err := r.file.Bytes(info.Name)
	if err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	switch info.DType {
	case safetensors.F64: // which Float32s would round
		return math.Float64frombits(le.Uint64(data)), nil
	case safetensors.I64:
		return float64(int64(le.Uint64(data))), nil
	case safetensors.I32:
		return float64(int32(le.Uint32(data))), nil
	case safetensors.I16:
		return float64(int16(le.Uint16(data))), nil
	case safetensors.I8:
		return float64(int8(data[0])), nil
	case safetensors.U8:
		return float64(data[0]), nil
	}
	values, err := r.file.Float32s(info.Name)
	if err != nil {
		return 0, err
	}
	return float64(values[0]), nil
}

// checkAlpha returns an error for an alpha that is not finite in float32, as a
// graph will use it.
func checkAlpha(alpha float64) error {
	if !(math.Abs(alpha) <= math.MaxFloat32) {
		return fmt.Errorf("alpha %v: %w", alpha, ErrNotFinite)
	}
	return nil
}
