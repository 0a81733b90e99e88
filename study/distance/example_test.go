package distance_test

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/study/distance"
)

// Features may come from anywhere. Here two sets have the same spread, and means that
// are 3 apart along one axis and 4 along the other.
func ExampleFID() {
	x := [][]float64{{0, 0}, {2, 0}, {0, 2}, {2, 2}}
	y := [][]float64{{3, 4}, {5, 4}, {3, 6}, {5, 6}}
	fid, err := distance.FID(x, y)
	fmt.Printf("%.6f %v\n", fid, err)
	// Output: 25.000000 <nil>
}
