package lora

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"unicode/utf8"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// The paper's defaults, which Config and New take for zero. Alpha is that of
// PEFT's LoraConfig, which the paper's reference leaves untouched.
const (
	DefaultRank   = 16
	DefaultAlpha  = 8.0
	DefaultWeight = 5.0
)

// Config says what adapter to make. The zero value is the paper's.
type Config struct {
	Rank  int     // 0 = DefaultRank
	Alpha float64 // 0 = DefaultAlpha; negative or not finite is an error
	// Targets are patterns of layer names; one that matches nothing is an error.
	// Without wildcards a pattern is a target module of PEFT: "to_q" is every
	// layer whose name is to_q or ends in ".to_q". Elements between dots may hold
	// the wildcards of path.Match: "attn.to_*", "blocks.[0-3].ff.*". nil = every
	// layer.
	Targets []string
	Init    Init // how A starts; 0 = Gaussian
	// Prefix of the names in the adapter's files: the place of the adapted network
	// in its pipeline, "transformer" or "unet", which generators say in their
	// dualprocess.Preset. "" = "unet" where the layers have the names of a U-Net,
	// else DefaultPrefix.
	Prefix string
	Seed   int64 // of A; together with a layer's name it determines the layer's A
}

// Init says how the matrices A start. B starts at zero always, so a new adapter
// adds nothing.
type Init int

const (
	// Gaussian draws from a normal distribution of standard deviation 1/rank:
	// init_lora_weights="gaussian" of PEFT.
	Gaussian Init = iota
	// FanIn draws with variance 1 over the layer's inputs, so that A·x is as large
	// as x whatever the layer's width.
	FanIn
)

// Adapter is a set of low-rank matrices for named layers, in host memory. It
// never changes and may be used from several goroutines. A nil Adapter has no
// layers: it describes the base model, and cannot be saved or changed.
type Adapter struct {
	weight float64
	prefix string // of the names in files, without its dot
	parts  []part // sorted by name
	// skipped are the tensors of other networks in the file that it came from.
	skipped []string
}

// part is the adapter of one layer. Ranks and alphas may differ between layers
// of merged adapters and of files from elsewhere.
type part struct {
	Layer
	rank  int
	alpha float64
	a     []float32 // [rank, in] or [rank, in, height, width]
	b     []float32 // [out, rank] or [out, rank, 1, 1]
}

// New makes an adapter for those of the layers that the targets name: A random,
// B zero, weight DefaultWeight. Errors wrap ErrConfig and name the field; so does
// that about a rank for which the adapter would exceed MaxBytes.
func New(cfg Config, layers []Layer) (*Adapter, error) {
	if cfg.Rank == 0 {
		cfg.Rank = DefaultRank
	}
	if cfg.Alpha == 0 {
		cfg.Alpha = DefaultAlpha
	}
	if err := cfg.check(layers); err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	chosen, err := choose(cfg.Targets, layers)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	if err := checkBytes(cfg.Rank, chosen); err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	a := &Adapter{weight: DefaultWeight, prefix: prefixOr(cfg.Prefix, chosen)}
	for _, l := range chosen {
		a.parts = append(a.parts, part{
			Layer: l, rank: cfg.Rank, alpha: cfg.Alpha,
			a: cfg.drawA(l), b: make([]float32, l.Out*cfg.Rank),
		})
	}
	return a, nil
}

func (c Config) check(layers []Layer) error {
	switch {
	case c.Rank < 0:
		return fmt.Errorf("%w: Rank %d is negative", ErrConfig, c.Rank)
	case c.Rank > MaxRank:
		return fmt.Errorf("%w: Rank %d is above %d", ErrConfig, c.Rank, MaxRank)
	case !(c.Alpha > 0 && c.Alpha <= math.MaxFloat32):
		return fmt.Errorf("%w: Alpha %v is not a positive number", ErrConfig, c.Alpha)
	case c.Init != Gaussian && c.Init != FanIn:
		return fmt.Errorf("%w: Init %d is unknown", ErrConfig, c.Init)
	case !utf8.ValidString(c.Prefix):
		return fmt.Errorf("%w: Prefix %q is not UTF-8", ErrConfig, c.Prefix)
	case len(layers) == 0:
		return fmt.Errorf("%w: there are no layers to adapt", ErrConfig)
	}
	seen := map[string]bool{}
	for _, l := range layers {
		if err := l.check(); err != nil {
			return err
		}
		if seen[l.Name] {
			return fmt.Errorf("%w: layer %q is given twice", ErrConfig, l.Name)
		}
		seen[l.Name] = true
	}
	return nil
}

// drawA draws a layer's A. The generator is seeded by a hash of seed and name:
// the order of the layers, or which others there are, makes no difference.
func (c Config) drawA(l Layer) []float32 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(c.Seed)), l.Name...))
	rng := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])))
	deviation := 1 / float64(c.Rank)
	if c.Init == FanIn {
		deviation = 1 / math.Sqrt(float64(l.fanIn()))
	}
	a := make([]float32, c.Rank*l.fanIn())
	for i := range a {
		a[i] = float32(deviation * rng.NormFloat64())
	}
	return a
}

// list returns the parts, none of a nil adapter.
func (a *Adapter) list() []part {
	if a == nil {
		return nil
	}
	return a.parts
}

// Layers returns the adapted layers, sorted by name.
func (a *Adapter) Layers() []Layer {
	layers := make([]Layer, len(a.list()))
	for i, p := range a.list() {
		layers[i] = p.Layer
	}
	return layers
}

// Weight returns the weight at which the adapter is meant to be used: that of
// its training. Adapters from elsewhere have 1.
func (a *Adapter) Weight() float64 {
	if a == nil {
		return 0
	}
	return a.weight
}

// WithWeight returns the adapter with another such weight, a finite number that
// is not 0: Save and whatever samples with the adapter refuse others. Its numbers
// stay the same; see [Adapter.Scale] to change those.
func (a *Adapter) WithWeight(weight float64) *Adapter {
	if a == nil {
		return nil
	}
	b := *a
	b.weight = weight
	return &b
}

// Prefix returns the place of the adapted network in its pipeline, "transformer"
// or "unet", with which the names in the adapter's files begin.
func (a *Adapter) Prefix() string {
	if a == nil {
		return ""
	}
	return a.prefix
}

// WithPrefix returns the adapter with another such prefix, "" for the one that the
// layers' names suggest.
func (a *Adapter) WithPrefix(prefix string) *Adapter {
	if a == nil {
		return nil
	}
	b := *a
	b.prefix = prefixOr(prefix, a.Layers())
	return &b
}

// Skipped returns the names of the tensors in the adapter's file that are another
// network's, such as a text encoder's, in the order of the file: Load passed over
// them, and Save will not write them. It is nil for an adapter without a file.
func (a *Adapter) Skipped() []string {
	if a == nil {
		return nil
	}
	return slices.Clone(a.skipped)
}

// String describes the adapter in one line.
func (a *Adapter) String() string {
	if a == nil {
		return "no adapter"
	}
	low, high := math.MaxInt, 0
	for _, p := range a.parts {
		low, high = min(low, p.rank), max(high, p.rank)
	}
	ranks := fmt.Sprint(high)
	if low < high {
		ranks = fmt.Sprintf("%d to %d", low, high)
	}
	return fmt.Sprintf("%d layers, rank %s, %d numbers, weight %g", len(a.parts), ranks, a.Size(), a.weight)
}

// Params returns the adapter's numbers as float32 tensors in host memory that
// belong to the caller: A and B of each layer, layers sorted by name. Of a
// linear layer A is [rank, in] and B [out, rank]; of a convolution A is
// [rank, in, height, width] and B [out, rank, 1, 1].
func (a *Adapter) Params() []*tensors.Tensor {
	params := make([]*tensors.Tensor, 0, 2*len(a.list()))
	for _, p := range a.list() {
		dimsA, dimsB := p.dims()
		params = append(params,
			tensors.FromFlatDataAndDimensions(p.a, dimsA...),
			tensors.FromFlatDataAndDimensions(p.b, dimsB...))
	}
	return params
}

// dims returns the shapes of A and B.
func (p part) dims() (a, b []int) {
	if p.IsConv() {
		return []int{p.rank, p.In, p.Kernel[0], p.Kernel[1]}, []int{p.Out, p.rank, 1, 1}
	}
	return []int{p.rank, p.In}, []int{p.Out, p.rank}
}

// WithParams returns the adapter with other numbers, given in the order and the
// shapes of Params; they are copied. It wraps ErrNotFinite and names the layer
// if one of them is NaN or infinite.
func (a *Adapter) WithParams(params []*tensors.Tensor) (*Adapter, error) {
	if a == nil {
		return nil, fmt.Errorf("lora: %w", errNil)
	}
	if len(params) != 2*len(a.parts) {
		return nil, fmt.Errorf("lora: %w: %d parameters given, it has %d", ErrMismatch, len(params), 2*len(a.parts))
	}
	out := &Adapter{a.weight, a.prefix, make([]part, len(a.parts)), a.skipped}
	for i, p := range a.parts {
		dimsA, dimsB := p.dims()
		var err error
		if p.a, err = numbers(params[2*i], dimsA); err != nil {
			return nil, fmt.Errorf("lora: A of layer %q: %w", p.Name, err)
		}
		if p.b, err = numbers(params[2*i+1], dimsB); err != nil {
			return nil, fmt.Errorf("lora: B of layer %q: %w", p.Name, err)
		}
		out.parts[i] = p
	}
	return out, nil
}

// numbers copies a tensor's values after checking them.
func numbers(t *tensors.Tensor, dims []int) ([]float32, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: no tensor is given", ErrMismatch)
	}
	if want := shapes.Make(dtypes.Float32, dims...); !t.Shape().Equal(want) {
		return nil, fmt.Errorf("%w: %s given, wants %s", ErrMismatch, t.Shape(), want)
	}
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	return values, checkFinite(values)
}

func checkFinite(values []float32) error {
	for i, v := range values {
		// v-v is 0 for every number and NaN for the rest.
		if v-v != 0 {
			return fmt.Errorf("number %d of %d is %v: %w", i, len(values), v, ErrNotFinite)
		}
	}
	return nil
}
