package optim_test

import (
	"fmt"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/optim"
)

// One update: the gradients are clipped, and parameters and moments are outputs
// of the graph, to be taken or thrown away.
func ExampleAdamW_Update() {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Finalize()
	exec, err := NewExec(backend, func(in []*Node) []*Node {
		w, m, v, step, rate := in[0], in[1], in[2], in[3], in[4]
		loss := ReduceAllSum(Square(w))
		grads, norm := optim.ClipGlobalNorm(Gradient(loss, w), 1)
		w2, m2, v2 := optim.AdamW{}.Update([]*Node{w}, grads, []*Node{m}, []*Node{v}, step, rate)
		return []*Node{w2[0], m2[0], v2[0], norm}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := exec.Call([]float32{3, -4}, []float32{0, 0}, []float32{0, 0}, int32(1), float32(0.5))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("parameters", out[0].Value())
	fmt.Println("norm of the gradient before clipping", out[3].Value())
	// Output:
	// parameters [2.5 -3.5]
	// norm of the gradient before clipping 10
}
