package safetensors_test

import (
	"bytes"
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

func Example() {
	var file bytes.Buffer
	err := safetensors.Write(&file, []safetensors.Tensor{
		safetensors.FromFloat32s("to_q.weight", []float32{1, 2, 3, 4, 5, 6}, 3, 2),
		safetensors.FromFloat32s("to_q.bias", []float32{7, 8, 9}, 3),
	}, map[string]string{"format": "pt"})
	if err != nil {
		fmt.Println(err)
		return
	}

	f, err := safetensors.New("example", bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, info := range f.Tensors() {
		values, err := f.Float32s(info.Name)
		fmt.Println(info.Name, info.DType, info.Shape, values, err)
	}
	_, err = f.Float32s("to_k.bias")
	fmt.Println(err)
	// Output:
	// to_q.bias F32 [3] [7 8 9] <nil>
	// to_q.weight F32 [3 2] [1 2 3 4 5 6] <nil>
	// safetensors: example: tensor "to_k.bias": no such tensor
}

// A header that promises more than the file has is an error before any memory is
// taken for it.
func ExampleNew() {
	header := `{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}`
	file := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
	_, err := safetensors.New("hostile", bytes.NewReader(file), int64(len(file)))
	fmt.Println(err)
	// Output: safetensors: hostile: tensor "w": not valid safetensors: data_offsets [0, 4000000000] do not lie in a data section of 0 bytes
}
