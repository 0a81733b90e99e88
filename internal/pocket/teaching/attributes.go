package teaching

import (
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Attribute is a fact about a scene that is true or false: a teacher that can
// look at the drawing's plan tells a pupil more than answers to questions do.
type Attribute struct {
	Name string
	// of returns whether the attribute holds.
	of func(s world.Scene) bool
	// families that it is a fact about.
	families []world.Family
}

// Attributes lists all attributes, in a fixed order.
func Attributes() []Attribute {
	var list []Attribute
	add := func(name string, of func(s world.Scene) bool, families ...world.Family) {
		list = append(list, Attribute{name, of, families})
	}
	each := func(kind string, values []string, of func(s world.Scene) string, families ...world.Family) {
		for _, value := range values {
			add(kind+" "+value, func(s world.Scene) bool { return of(s) == value }, families...)
		}
	}
	each("time", world.Times, func(s world.Scene) string { return s.Time }, world.Landscape)
	each("place", world.Places, func(s world.Scene) string { return s.Place }, world.Landscape)
	each("drawing of", world.DrawnThings, func(s world.Scene) string { return s.Thing }, world.Drawing)
	each("ink", world.Inks, func(s world.Scene) string { return s.Ink }, world.Drawing)
	each("room", world.RoomPlaces, func(s world.Scene) string { return s.Place }, world.Room)
	for i, side := range []string{"left", "right"} {
		each(side, world.Colours, func(s world.Scene) string { return s.Objects[i].Colour }, world.Room)
		each(side, world.Shapes, func(s world.Scene) string { return s.Objects[i].Shape }, world.Room)
	}
	with := func(things []string, families ...world.Family) {
		for _, thing := range things {
			add("with "+thing, func(s world.Scene) bool { return slices.Contains(s.Things(), thing) }, families...)
		}
	}
	with([]string{"tree", "house", world.Mountains, world.Clouds, world.Field, "boat"}, world.Landscape, world.Lake)
	with([]string{"window", "chair", "cat", "plant"}, world.Lamp)
	with([]string{"bench", "fence", "bird", "car"}, world.Tree, world.House)
	add("winter", func(s world.Scene) bool { return s.Winter }, world.Lake, world.Tree)
	add("night", func(s world.Scene) bool { return s.Night }, world.Lamp, world.House)
	for _, f := range world.Families() {
		add("is a "+f.String(), func(s world.Scene) bool { return s.Family == f }, world.Families()...)
	}
	for _, phrase := range objectPhrases() { // which shape has which colour: the attributes of the sides alone leave it open
		add("shows "+phrase, func(s world.Scene) bool { return s.Objects[0].String() == phrase || s.Objects[1].String() == phrase }, world.Room)
	}
	return list
}

// Of tells whether the attribute holds for a scene, and whether it is a fact
// about scenes of that kind at all. Of a scene with something missing, or in the
// colours of a palette, nothing is said but its family.
func (a Attribute) Of(s world.Scene) (holds, known bool) {
	if !slices.Contains(a.families, s.Family) {
		return false, false
	}
	if (!s.Complete() || graded(s)) && len(a.families) < len(world.Families()) {
		return false, false
	}
	return a.of(s), true
}
