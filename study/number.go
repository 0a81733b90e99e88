package study

import (
	"encoding/json"
	"math"
)

// Number is a float64 whose NaN, what cannot be told, is null in JSON. Others are
// written so that they are read again bit for bit.
type Number float64

// MarshalJSON writes a number, or null for NaN and infinities.
func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// known returns the numbers that can be told.
func known(values []float64) []float64 {
	var out []float64
	for _, v := range values {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

// mean is that of the numbers that can be told, NaN of none.
func mean(values []float64) float64 {
	sum, n := 0., 0.
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / n
}
