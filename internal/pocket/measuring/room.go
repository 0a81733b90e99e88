package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Thresholds of an object's presence.
const (
	objectMargin = .10 // how much nearer a pixel's colour must be to the object than to all else
	objectLeast  = .40 // share of the farthest object's area below which none is there
	objectTop    = 18  // row (of 64) above which no object reaches
	baseShare    = .97 // quantile of an object's rows that is its base
)

// areaShares is the area of each shape in squares of its width.
var areaShares = map[string]float64{"ball": math.Pi / 4, "box": .89, "cone": .60}

// Nearness finds the two objects that a room's caption names by their
// colours and returns how near they are in [0,1], from the size and the row of
// the base alike, and which are there. The nearness of a missing object is 0.
func Nearness(p *world.Picture, objects [2]world.Object) (near [2]float64, present [2]bool) {
	p = p.Resized(measured)
	for i, o := range objects {
		blob := largestBlob(colourMask(p, o.Colour, objects[1-i].Colour))
		share := areaShares[o.Shape]
		area := float64(len(blob)) / (measured * measured)
		if area < objectLeast*share*world.FarWidth*world.FarWidth {
			continue
		}
		present[i] = true
		var rows []float64
		for _, k := range blob {
			rows = append(rows, (float64(k/measured)+1)/measured)
		}
		bySize := (math.Sqrt(area/share) - world.FarWidth) / (world.NearWidth - world.FarWidth)
		byBase := (quantile(rows, baseShare) - world.FarBase) / (world.NearBase - world.FarBase)
		near[i] = world.Clamp((bySize + byBase) / 2)
	}
	return near, present
}

// colourMask tells which pixels have an object's colour rather than the
// background's or the other object's.
func colourMask(p *world.Picture, colour, other string) []bool {
	mask := make([]bool, measured*measured)
	for row := objectTop; row < measured; row++ {
		background := marginColour(p, row)
		for column := 0; column < measured; column++ {
			v := p.At(column, row)
			own := shadeDistance(v, world.ObjectColour(colour))
			rival := math.Min(v.Sub(background).Norm(), shadeDistance(v, world.ObjectColour(other)))
			// Shadows are the background's hue, only darker.
			rival = math.Min(rival, segmentDistance(v, background, background.Scale(.6)))
			mask[row*measured+column] = own+objectMargin < rival
		}
	}
	return mask
}

// marginColour is the background's colour in a row: objects stay off the margins.
func marginColour(p *world.Picture, row int) world.RGB {
	const margin = 3
	var colours []world.RGB
	for k := 0; k < margin; k++ {
		colours = append(colours, p.At(k, row), p.At(measured-1-k, row))
	}
	return medianColour(colours)
}

// shadeDistance is the distance of a colour from all shades of an object's
// colour, from its dark side to its highlight.
func shadeDistance(v, colour world.RGB) float64 {
	return math.Min(segmentDistance(v, colour, colour.Scale(.62)), segmentDistance(v, colour, world.Mix(colour, world.RGB{1, 1, 1}, .5)))
}

func segmentDistance(v, a, b world.RGB) float64 {
	return v.Sub(world.Mix(a, b, world.Clamp(v.Along(a, b)))).Norm()
}

// largestBlob returns the pixels of a mask's largest connected region.
func largestBlob(mask []bool) []int {
	var best []int
	seen := make([]bool, len(mask))
	for start, is := range mask {
		if !is || seen[start] {
			continue
		}
		blob := []int{start}
		seen[start] = true
		for i := 0; i < len(blob); i++ {
			k := blob[i]
			for _, next := range [...]int{k - 1, k + 1, k - measured, k + measured} {
				wraps := next%measured-k%measured > 1 || k%measured-next%measured > 1
				if next >= 0 && next < len(mask) && !wraps && mask[next] && !seen[next] {
					seen[next] = true
					blob = append(blob, next)
				}
			}
		}
		if len(blob) > len(best) {
			best = blob
		}
	}
	return best
}
