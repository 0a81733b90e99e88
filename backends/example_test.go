package backends_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	. "github.com/gomlx/gomlx/core/graph"
)

// The zero Options open the fastest backend; here one is named, so that the output is the same everywhere.
func ExampleOpen() {
	runtime, err := backends.Open(context.Background(), backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer runtime.Close()
	fmt.Println(runtime.Name, runtime.DType)
	fmt.Println(runtime.Reason)

	length := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }
	fmt.Println(MustExecOnce(runtime.Backend, length, []float32{3, 4}))
	// Output:
	// go Float32
	// go: taken, asked for by the caller (needs nothing but Go; one operation at a time)
	// float32(5)
}

// Graph functions panic; Try makes errors of that.
func ExampleTry() {
	err := backends.Try(func() { panic(fmt.Errorf("shapes differ")) })
	fmt.Println(err)
	// Output: shapes differ
}
