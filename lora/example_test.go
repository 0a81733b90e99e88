package lora_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/lora"
)

// The layers of a generator are usually recorded; here they are spelt out.
var layers = []lora.Layer{
	{Name: "blocks.0.attn.to_q", In: 64, Out: 64},
	{Name: "blocks.0.attn.to_k", In: 64, Out: 64},
	{Name: "blocks.0.ff.up", In: 64, Out: 256},
	{Name: "blocks.0.conv", In: 64, Out: 64, Kernel: [2]int{3, 3}},
}

func ExampleNew() {
	adapter, err := lora.New(lora.Config{Rank: 8, Targets: []string{"attn.to_*", "conv"}}, layers)
	if err != nil {
		panic(err)
	}
	fmt.Println(adapter)
	for _, l := range adapter.Layers() {
		fmt.Println(l)
	}
	_, err = lora.New(lora.Config{Targets: []string{"ff.down"}}, layers)
	fmt.Println(err)
	// Output:
	// 3 layers, rank 8, 7168 numbers, weight 5
	// blocks.0.attn.to_k 64→64
	// blocks.0.attn.to_q 64→64
	// blocks.0.conv 3×3 64→64
	// lora: invalid adapter settings: target "ff.down" matches no layer; nearest: "blocks.0.ff.up", "blocks.0.conv", "blocks.0.attn.to_k"
}

// A network becomes adaptable by one line per layer.
func network(d *lora.Delta, x, w *Node) *Node {
	y := Dot(x, w).General([]int{1}, nil, []int{1}, nil) // x·wᵀ
	return d.Linear("head", x, y)
}

func ExampleDelta_Linear() {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		panic(err)
	}
	defer backend.Finalize()
	x := [][]float32{{1, 2}}
	w := [][]float32{{1, 0}, {0, 1}, {1, 1}}

	// Building the graph once tells which layers there are.
	recorder := lora.Record()
	g := NewGraph(backend, "recording")
	network(recorder.Delta(), Const(g, x), Const(g, w))
	adapter, err := lora.New(lora.Config{Rank: 1, Alpha: 1}, recorder.Layers())
	if err != nil {
		panic(err)
	}
	// Training would change A and B; they are inputs and outputs of the graph.
	adapter, err = adapter.WithParams([]*tensors.Tensor{
		tensors.FromValue([][]float32{{1, 1}}),
		tensors.FromValue([][]float32{{0}, {0}, {10}}),
	})
	if err != nil {
		panic(err)
	}
	exec, err := NewExec(backend, func(in []*Node) *Node {
		d := adapter.Delta(in[3:], in[2])
		return network(d, in[0], in[1])
	})
	if err != nil {
		panic(err)
	}
	for _, weight := range []float32{0, 1, 0.5} {
		params := adapter.Params()
		y, err := exec.Call1(x, w, weight, params[0], params[1])
		if err != nil {
			panic(err)
		}
		fmt.Println(weight, y.Value())
	}
	// Output:
	// 0 [[1 2 3]]
	// 1 [[1 2 33]]
	// 0.5 [[1 2 18]]
}

func ExampleAdapter_Save() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	adapter, err := lora.New(lora.Config{Targets: []string{"attn.to_*"}}, layers)
	if err != nil {
		panic(err)
	}
	// At scale 1 in diffusers the file does what the adapter does here at weight 5.
	path := filepath.Join(folder, "pytorch_lora_weights.safetensors")
	if err := adapter.Save(path, lora.SaveOptions{}); err != nil {
		panic(err)
	}
	again, err := lora.Load(path, layers)
	fmt.Println(again, err)
	// Output:
	// 2 layers, rank 16, 4096 numbers, weight 5 <nil>
}

// Files for ComfyUI have kohya's names, for which Save and Load need the layers.
func ExampleSaveOptions() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	adapter, err := lora.New(lora.Config{Targets: []string{"attn.to_*"}}, layers)
	if err != nil {
		panic(err)
	}
	path := filepath.Join(folder, "for_comfyui.safetensors")
	if err := adapter.Save(path, lora.SaveOptions{Kohya: layers}); err != nil {
		panic(err)
	}
	again, err := lora.LoadWith(path, layers, lora.LoadOptions{Strict: true})
	fmt.Println(again, err)
	_, err = lora.Load(path, layers[2:])
	fmt.Println(errors.Is(err, lora.ErrMismatch))
	// Output:
	// 2 layers, rank 16, 4096 numbers, weight 5 <nil>
	// true
}

func ExampleMerge() {
	horizon, err := lora.New(lora.Config{Rank: 8}, layers[:2])
	if err != nil {
		panic(err)
	}
	strokes, err := lora.New(lora.Config{Rank: 4}, layers[1:3])
	if err != nil {
		panic(err)
	}
	both, err := lora.Merge([]float64{5, 2.5}, horizon, strokes)
	fmt.Println(both, err)
	// Output:
	// 3 layers, rank 4 to 12, 3840 numbers, weight 1 <nil>
}
