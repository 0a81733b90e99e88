package lifesize

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"

	"github.com/gomlx/compute/dtypes/bfloat16"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// file is a safetensors file of random weights, which are made up when they are read.
type file struct {
	head   []byte
	pieces []piece // one for each tensor, in their order
	size   int64

	mu     sync.Mutex
	blocks map[values][]byte
	dtype  safetensors.DType
}

// piece is a tensor's place in the file and its numbers.
type piece struct {
	begin, end int64
	values     values
	first      int // number of the noise
}

// values are mean + deviation·noise.
type values struct{ mean, deviation float32 }

// newFile lays out a file of the tensors.
func newFile(tensors []weights.Tensor, dtype safetensors.DType) *file {
	type entry struct {
		DType  safetensors.DType `json:"dtype"`
		Shape  []int             `json:"shape"`
		Offset [2]int64          `json:"data_offsets"`
	}
	f := &file{blocks: map[values][]byte{}, dtype: dtype}
	entries, end := map[string]entry{}, int64(0)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, t := range tensors {
		if _, twice := entries[t.Name]; twice { // tied weights
			continue
		}
		p := piece{begin: end, values: valuesOf(t), first: rng.IntN(noiseLength)}
		end += int64(count(t.Dims) * dtype.Size())
		p.end = end
		entries[t.Name] = entry{dtype, append([]int{}, t.Dims...), [2]int64{p.begin, p.end}}
		f.pieces = append(f.pieces, p)
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // numbers and names
	}
	text = append(text, strings.Repeat(" ", (8-len(text)%8)%8)...)
	f.head = append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	f.size = int64(len(f.head)) + end
	return f
}

func count(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// valuesOf chooses a tensor's numbers: a deviation of 1/√inputs for what is multiplied with, so that the outputs are of
// the inputs' size, ones for gains and variances, and zeros for biases.
func valuesOf(t weights.Tensor) values {
	switch {
	case len(t.Dims) > 1:
		return values{deviation: float32(math.Sqrt(float64(t.Dims[0]) / float64(max(count(t.Dims), 1))))}
	case strings.HasSuffix(t.Name, "weight"), strings.HasSuffix(t.Name, "running_var"): // of a batch norm
		return values{mean: 1}
	}
	return values{}
}

// noiseLength is how many random numbers there are; a prime, so that the rows of a matrix do not repeat each other.
const noiseLength = 1048573

// noise are the numbers that all tensors are made of.
var noise = sync.OnceValue(func() []float32 {
	rng := rand.New(rand.NewPCG(3, 4))
	all := make([]float32, noiseLength)
	for i := range all {
		all[i] = float32(rng.NormFloat64())
	}
	return all
})

// block returns the bytes of the piece's numbers, from its first noise to its last.
func (f *file) block(p piece) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.blocks[p.values]; b != nil {
		return b
	}
	b := make([]byte, 0, noiseLength*f.dtype.Size())
	for _, x := range noise() {
		x = p.values.mean + p.values.deviation*x
		if f.dtype == safetensors.BF16 {
			b = binary.LittleEndian.AppendUint16(b, uint16(bfloat16.FromFloat32(x)))
		} else {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	}
	f.blocks[p.values] = b
	return b
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(b []byte, at int64) (n int, err error) {
	if at < int64(len(f.head)) {
		n = copy(b, f.head[at:])
	}
	at += int64(n) - int64(len(f.head)) // of the data
	i := sort.Search(len(f.pieces), func(i int) bool { return f.pieces[i].end > at })
	for ; n < len(b) && i < len(f.pieces); i++ {
		p := f.pieces[i]
		part := b[n:]
		if left := p.end - at; int64(len(part)) > left {
			part = part[:left]
		}
		f.fill(part, p, at-p.begin)
		n += len(part)
		at += int64(len(part))
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// fill copies the piece's bytes from a place on.
func (f *file) fill(b []byte, p piece, from int64) {
	block := f.block(p)
	for len(b) > 0 {
		begin := (int64(p.first*f.dtype.Size()) + from) % int64(len(block))
		n := copy(b, block[begin:])
		b, from = b[n:], from+int64(n)
	}
}
