package scenes

import "slices"

// Attribute is a fact about a scene that is true or false: a teacher that can
// look at the drawing's plan tells a pupil more than answers to questions do.
type Attribute struct {
	Name string
	// of returns whether the attribute holds.
	of func(s Scene) bool
	// families that it is a fact about.
	families []Family
}

// Attributes lists all attributes, in a fixed order.
func Attributes() []Attribute {
	var list []Attribute
	add := func(name string, of func(s Scene) bool, families ...Family) {
		list = append(list, Attribute{name, of, families})
	}
	each := func(kind string, values []string, of func(s Scene) string, families ...Family) {
		for _, value := range values {
			add(kind+" "+value, func(s Scene) bool { return of(s) == value }, families...)
		}
	}
	each("time", times, func(s Scene) string { return s.Time }, Landscape)
	each("place", places, func(s Scene) string { return s.Place }, Landscape)
	each("drawing of", drawnThings, func(s Scene) string { return s.Thing }, Drawing)
	each("ink", inks, func(s Scene) string { return s.Ink }, Drawing)
	each("room", roomPlaces, func(s Scene) string { return s.Place }, Room)
	for i, side := range []string{"left", "right"} {
		each(side, colours, func(s Scene) string { return s.Objects[i].Colour }, Room)
		each(side, shapes, func(s Scene) string { return s.Objects[i].Shape }, Room)
	}
	for _, thing := range []string{"tree", "house", mountains, clouds, "boat"} {
		add("with "+thing, func(s Scene) bool { return slices.Contains(s.things(), thing) }, Landscape, Lake)
	}
	for _, thing := range []string{"window", "chair", "cat", "plant"} {
		add("with "+thing, func(s Scene) bool { return slices.Contains(s.things(), thing) }, Lamp)
	}
	add("winter", func(s Scene) bool { return s.Winter }, Lake)
	add("night", func(s Scene) bool { return s.Night }, Lamp)
	for _, f := range Families() {
		add("is a "+f.String(), func(s Scene) bool { return s.Family == f }, Families()...)
	}
	for _, phrase := range objectPhrases() { // which shape has which colour: the attributes of the sides alone leave it open
		add("shows "+phrase, func(s Scene) bool { return s.Objects[0].String() == phrase || s.Objects[1].String() == phrase }, Room)
	}
	return list
}

// Of tells whether the attribute holds for a scene, and whether it is a fact
// about scenes of that kind at all. Of a scene with something missing nothing is
// said but its family.
func (a Attribute) Of(s Scene) (holds, known bool) {
	if !slices.Contains(a.families, s.Family) {
		return false, false
	}
	if !s.Complete() && len(a.families) < len(Families()) {
		return false, false
	}
	return a.of(s), true
}
