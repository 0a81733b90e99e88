package training

import (
	"math"
	"math/rand/v2"
)

// damage is what happens to a picture before the verifier sees it. Some of it is
// harmless (blur, noise, a trip through the autoencoder): the answer stays. The
// rest counts: the further the picture is from what it was, the more certain is
// a no. It is a degree and not a class, so that the gradient of a ruined
// picture points back to a sound one.
type damage struct {
	decode bool      // through the autoencoder; damage of latents needs it
	counts bool      // makes the answer no, by its degree
	keep   []float32 // [8, 8] factor of the latents
	mix    []float32 // [8, 8] share of another picture's latents
	add    []float32 // [8, 8, C] added to the latents
	gain   []float32 // [3] factor of the colours
	field  []float32 // [64, 64, 3] added to the picture, before the mark
	blur   float32   // share of a 3x3 box blur
	noise  float32   // standard deviation of pixel noise
}

// harmless returns no damage at all.
func harmless(latentSize, channels int) damage {
	d := damage{
		keep: make([]float32, latentSize*latentSize),
		mix:  make([]float32, latentSize*latentSize),
		add:  make([]float32, latentSize*latentSize*channels),
		gain: []float32{1, 1, 1},
	}
	for i := range d.keep {
		d.keep[i] = 1
	}
	return d
}

// soften adds harmless damage.
func (d *damage) soften(rng *rand.Rand) {
	switch r := rng.Float64(); {
	case r < 0.08:
		d.blur = float32(rng.Float64())
	case r < 0.16:
		d.noise = float32(0.06 * rng.Float64())
	case r < 0.20:
		d.blur, d.noise = float32(rng.Float64()), float32(0.05*rng.Float64())
	}
	if d.decode && rng.Float64() < 0.25 {
		strength := 0.3 * rng.Float64()
		for i := range d.add {
			d.add[i] += float32(strength * rng.NormFloat64())
		}
	}
}

// ruin adds damage that counts, one kind of many.
func (d *damage) ruin(rng *rand.Rand, latentSize, channels int) {
	d.counts = true
	kinds := 4
	if d.decode {
		kinds = 10
	}
	switch rng.IntN(kinds) {
	case 0: // a flat colour takes over
		d.wash(rng)
	case 1: // gratings
		d.grating(rng)
	case 2: // clouds of colour
		d.clouds(rng)
	case 3: // colours off
		for k := range d.gain {
			d.gain[k] = float32(1 + 0.8*rng.NormFloat64())
		}
	case 4: // strong latent noise
		d.latentNoise(rng, 0.4+1.4*rng.Float64())
	case 5: // no picture at all
		d.fade(0)
		d.latentNoise(rng, 0.7+0.6*rng.Float64())
	case 6: // every latent shifted alike, or row by row
		d.shift(rng, latentSize, channels)
	case 7: // patches of another picture
		share := rng.Float64()
		for i := range d.mix {
			if rng.Float64() < share {
				d.mix[i], d.keep[i] = 1, 0
			}
		}
	case 8: // half another picture
		w := float32(0.15 + 0.5*rng.Float64())
		for i := range d.mix {
			d.mix[i], d.keep[i] = w, 1-w
		}
	case 9: // latents too large or too small
		d.fade(float32(math.Exp(0.8 * rng.NormFloat64())))
	}
}

func (d *damage) fade(factor float32) {
	for i := range d.keep {
		d.keep[i] *= factor
	}
}

func (d *damage) latentNoise(rng *rand.Rand, strength float64) {
	for i := range d.add {
		d.add[i] += float32(strength * rng.NormFloat64())
	}
}

func (d *damage) shift(rng *rand.Rand, size, channels int) {
	rows := rng.IntN(2) == 0
	strength := 1.5 * rng.Float64()
	offset := make([]float64, size*channels)
	for i := range offset {
		offset[i] = strength * rng.NormFloat64()
	}
	for y := range size {
		for x := range size {
			for c := range channels {
				k := c
				if rows {
					k = y*channels + c
				}
				d.add[(y*size+x)*channels+c] += float32(offset[k])
			}
		}
	}
}

func (d *damage) wash(rng *rand.Rand) {
	w := rng.Float64()
	d.field = make([]float32, pictureSize*pictureSize*3)
	for c := range 3 {
		d.gain[c] = float32(1 - w)
		colour := float32(w * rng.Float64())
		for i := c; i < len(d.field); i += 3 {
			d.field[i] = colour
		}
	}
}

func (d *damage) grating(rng *rand.Rand) {
	d.field = make([]float32, pictureSize*pictureSize*3)
	angle, period, phase := math.Pi*rng.Float64(), 3+13*rng.Float64(), 2*math.Pi*rng.Float64()
	strength, tint := 0.05+0.4*rng.Float64(), [3]float64{rng.Float64(), rng.Float64(), rng.Float64()}
	for y := range pictureSize {
		for x := range pictureSize {
			along := float64(x)*math.Cos(angle) + float64(y)*math.Sin(angle)
			v := strength * math.Sin(2*math.Pi*along/period+phase)
			for c := range 3 {
				d.field[(y*pictureSize+x)*3+c] = float32(v * tint[c])
			}
		}
	}
}

// clouds adds a smooth field of colour: random numbers on a coarse grid, interpolated.
func (d *damage) clouds(rng *rand.Rand) {
	d.field = make([]float32, pictureSize*pictureSize*3)
	n := 3 + rng.IntN(6)
	strength := 0.08 + 0.35*rng.Float64()
	grid := make([]float64, (n+1)*(n+1)*3)
	for i := range grid {
		grid[i] = strength * rng.NormFloat64()
	}
	for y := range pictureSize {
		for x := range pictureSize {
			fy, fx := float64(y*n)/pictureSize, float64(x*n)/pictureSize
			j, i := int(fy), int(fx)
			ty, tx := fy-float64(j), fx-float64(i)
			for c := range 3 {
				at := func(j, i int) float64 { return grid[(j*(n+1)+i)*3+c] }
				top := at(j, i)*(1-tx) + at(j, i+1)*tx
				bottom := at(j+1, i)*(1-tx) + at(j+1, i+1)*tx
				d.field[(y*pictureSize+x)*3+c] = float32(top*(1-ty) + bottom*ty)
			}
		}
	}
}
