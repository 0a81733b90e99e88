package scenes

// Thresholds of a landscape that is still one.
const (
	paletteNear = .08 // palette error up to which colours are the caption's
	horizonSure = .25 // confidence from which there is a horizon
)

// SubjectThere tells whether a picture still shows what its caption (see
// Parse) names: a landscape in its colours with a horizon, a readable drawing
// of the right thing, both objects, the lake, the lamp.
func SubjectThere(p *Picture, caption Scene) bool {
	p = p.resized(measured)
	switch caption.Family {
	case Landscape:
		_, sure := MeasureHorizon(p)
		return sure >= horizonSure && PaletteError(p, caption) <= paletteNear
	case Drawing:
		return MeasureThing(p).Good(caption.Thing)
	case Room:
		_, present := MeasureNearness(p, caption.Objects)
		return present[0] && present[1]
	case Lake:
		return p.lakeThere()
	default:
		return p.lampThere()
	}
}
