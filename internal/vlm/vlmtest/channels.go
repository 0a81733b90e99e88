package vlmtest

import "github.com/gomlx/gomlx/core/tensors"

// channelsLastTensor brings [B, C, H, W] to [B, H, W, C].
func channelsLastTensor(x *tensors.Tensor) *tensors.Tensor {
	d := x.Shape().Dimensions
	return permuted(x, d[0], d[1], d[2]*d[3], d[0], d[2], d[3], d[1])
}

// channelsFirstTensor brings [B, H, W, C] to [B, C, H, W].
func channelsFirstTensor(x *tensors.Tensor) *tensors.Tensor {
	d := x.Shape().Dimensions
	return permuted(x, d[0], d[1]*d[2], d[3], d[0], d[3], d[1], d[2])
}

// permuted swaps the last two axes of x, taken as [b, m, n], and gives it a shape.
func permuted(x *tensors.Tensor, b, m, n int, shape ...int) *tensors.Tensor {
	values := tensors.MustCopyFlatData[float32](x)
	out := make([]float32, 0, len(values))
	for i := range b {
		for k := range n {
			for j := range m {
				out = append(out, values[(i*m+j)*n+k])
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(out, shape...)
}
