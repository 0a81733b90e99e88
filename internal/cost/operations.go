package cost

import (
	"regexp"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// GoMLX tells the axes of an operation in its description alone.
var (
	contracted    = regexp.MustCompile(`lhsContractingAxes=\[([0-9 ]*)\]`)
	kernelOutputs = regexp.MustCompile(`KernelOutputChannels:([0-9]+)`)
)

// operations counts the floating-point ones of matrix products and convolutions; all
// others are few beside them.
func operations(x *Node) float64 {
	switch x.Type() {
	case NodeTypeDotGeneral:
		sum := 1
		for _, axis := range axes(contracted, x) {
			sum *= x.Inputs()[0].Shape().Dimensions[axis]
		}
		return 2 * float64(x.Shape().Size()) * float64(sum)
	case NodeTypeConvGeneral:
		kernel := x.Inputs()[1].Shape()
		each := kernel.Size()
		for _, axis := range axes(kernelOutputs, x) {
			each /= max(kernel.Dimensions[axis], 1)
		}
		return 2 * float64(x.Shape().Size()) * float64(each)
	case NodeTypeFusedScaledDotProductAttention:
		return 2 * scores(x)
	case NodeTypeFusedScaledDotProductAttentionVJP: // the scores once more, and a product for each of four gradients
		return 5 * scores(x)
	}
	return 0
}

// scores counts the operations of the product of queries and keys [batch, tokens, heads, width], an attention's first inputs.
func scores(attention *Node) float64 {
	queries, keys := attention.Inputs()[0].Shape(), attention.Inputs()[1].Shape()
	return 2 * float64(queries.Size()) * float64(keys.Dimensions[1])
}

// axes reads numbers out of a node's description.
func axes(pattern *regexp.Regexp, x *Node) (list []int) {
	match := pattern.FindStringSubmatch(x.String())
	if match == nil {
		return nil
	}
	for word := range strings.FieldsSeq(match[1]) {
		if n, err := strconv.Atoi(word); err == nil {
			list = append(list, n)
		}
	}
	return list
}
