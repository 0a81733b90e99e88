package world

import "math"

// RGB is a colour, channels nominally in [0, 1].
type RGB [3]float32

// Add adds channel by channel.
func (a RGB) Add(b RGB) RGB { return RGB{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// Sub subtracts channel by channel.
func (a RGB) Sub(b RGB) RGB { return RGB{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// Times multiplies channel by channel: a colour in the light of another.
func (a RGB) Times(b RGB) RGB { return RGB{a[0] * b[0], a[1] * b[1], a[2] * b[2]} }

// Scale multiplies all channels by a factor.
func (a RGB) Scale(f float32) RGB { return RGB{a[0] * f, a[1] * f, a[2] * f} }

// Dot is the scalar product.
func (a RGB) Dot(b RGB) float64 { return float64(a[0]*b[0] + a[1]*b[1] + a[2]*b[2]) }

// Norm is the length of the vector of the three channels.
func (a RGB) Norm() float64 { return math.Sqrt(a.Dot(a)) }

// Along is where a colour lies between two others: 0 at from, 1 at to.
func (a RGB) Along(from, to RGB) float64 {
	d := to.Sub(from)
	return a.Sub(from).Dot(d) / math.Max(d.Dot(d), 1e-9)
}

// Mix returns a at t = 0 and b at t = 1.
func Mix(a, b RGB, t float64) RGB {
	u := float32(t)
	return RGB{a[0] + (b[0]-a[0])*u, a[1] + (b[1]-a[1])*u, a[2] + (b[2]-a[2])*u}
}

// Lerp returns a at t = 0 and b at t = 1.
func Lerp(a, b, t float64) float64 { return a + (b-a)*t }

// Clamp brings a number into [0, 1].
func Clamp(v float64) float64 { return max(0, min(1, v)) }
