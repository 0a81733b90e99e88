package flux2

// mu is the logarithm of the shift towards noise, which diffusers' pipeline has from
// Black Forest Labs' code: a straight line in the number of steps, through a value for
// 10 and one for 200 that grow with the picture. For large pictures it is that for 200,
// whatever the steps. The conversions keep compilers from fusing operations.
func mu(tokens, steps int) float64 {
	at200 := float64(0.00016927*float64(tokens)) + 0.45666666
	if tokens > 4300 {
		return at200
	}
	at10 := float64(8.73809524e-05*float64(tokens)) + 1.89833333
	slope := (at200 - at10) / 190
	return float64(slope*float64(steps)) + (at200 - float64(200*slope))
}
