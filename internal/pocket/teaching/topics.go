package teaching

import (
	"math"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// lineTopic asks whether the horizon lies on a line; lakes have a horizon too.
func lineTopic(weight int) topic {
	return topic{name: "horizon on line", weight: weight, mark: world.LineMark, own: true, fill: onLine, texts: lineTexts}
}

var lineTexts = []string{
	"Does the horizon lie on the red line?", "Is the horizon on the red line?", "Is the horizon on the line?",
	"Is the red line at the horizon?", "Does the horizon lie on the line?", "Does the red line lie on the horizon?",
}

// paletteTopic asks any picture for the colours of a palette.
func paletteTopic() topic {
	return topic{name: "palette", weight: 4, mark: world.PaletteMark, texts: []string{
		"Do the colours of this image match the palette at the bottom?", "Do the colours of the picture match the palette?",
		"Are the colours those of the palette?", "Does the picture have the colours of the palette?",
	}, fill: likePalette}
}

func landscapeTopics() []topic {
	return []topic{
		lineTopic(12),
		{name: "horizon in upper half", weight: 2, own: true, texts: []string{
			"Is the horizon in the upper half of the picture?", "Does the horizon lie in the upper half?", "Is the horizon above the middle of the picture?",
		}, fill: horizonHalf(1)},
		{name: "horizon in lower half", weight: 2, own: true, texts: []string{
			"Is the horizon in the lower half of the picture?", "Does the horizon lie in the lower half?", "Is the horizon below the middle of the picture?",
		}, fill: horizonHalf(-1)},
		{name: "time", weight: 2, hue: true, texts: []string{
			"Is it %s in the picture?", "Is it %s?", "Does the picture show %s?", "Is this a picture of %s?",
		}, words: world.Times, fill: askTime},
		{name: "place", weight: 2, hue: true, texts: []string{
			"Does the picture show a %s?", "Is this a picture of a %s?", "Is there a %s in the picture?", "Is this a %s?",
		}, words: world.Places, fill: func(rng *rand.Rand, s world.Scene, q *Question) string {
			return factOf(rng, q, world.Places, s.Place, subjectGone(s))
		}},
		thingTopic("landscape thing", []string{"tree", "house", world.Mountains, world.Clouds, world.Field}, 3),
		{name: "horizon row", weight: 1, texts: []string{
			"At what height is the horizon?", "How high is the horizon?", "Where is the horizon?",
		}, fill: quantity(func(s world.Scene) float64 { return s.Horizon })},
		{name: "horizon in composition", weight: 3, mark: world.CompositionMark, own: true, texts: lineTexts, fill: onLine},
		{name: "tree on line", weight: 4, mark: world.CompositionMark, own: true, texts: []string{
			"Is the tree on the blue line?", "Does the tree stand on the blue line?", "Is the blue line at the tree?",
		}, fill: treeOnLine, apt: hasTree},
		{name: "field in box", weight: 4, mark: world.CompositionMark, own: true, texts: []string{
			"Is the field in the red box?", "Does the field lie in the red box?", "Is the red box at the field?",
		}, fill: fieldInBox, apt: hasField},
	}
}

func drawingTopics() []topic {
	return []topic{
		{name: "thick", weight: 4, own: true, texts: []string{
			"Are the lines thick?", "Is the drawing made of thick lines?", "Are the strokes thick?", "Is this drawn with thick lines?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, thickLogit(s.Stroke)) }},
		{name: "thin", weight: 4, own: true, texts: []string{
			"Are the lines thin?", "Is the drawing made of thin lines?", "Are the strokes thin?", "Is this drawn with thin lines?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, thinLogit(s.Stroke)) }},
		{name: "as thick as sample", weight: 3, mark: world.SampleMark, own: true, texts: []string{
			"Are the lines as thick as the sample?", "Are the strokes as thick as the sample?", "Is the drawing as thick as the sample line?", "Do the lines have the thickness of the sample?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string {
			return q.subject(s, 4-8*math.Abs(math.Log(s.Stroke/q.Mark.Width)))
		}},
		{name: "drawn thing", weight: 4, own: true, texts: []string{
			"Is there a drawing of a %s?", "Is this a drawing of a %s?", "Does the picture show a drawing of a %s?", "Is a %s drawn in the picture?",
		}, words: world.DrawnThings, fill: func(rng *rand.Rand, s world.Scene, q *Question) string {
			return factOf(rng, q, world.DrawnThings, s.Thing, subjectGone(s))
		}},
		{name: "ink", weight: 2, hue: true, own: true, texts: []string{
			"Is the ink %s?", "Is this drawn in %s ink?", "Are the lines %s?", "Is the drawing %s?",
		}, words: world.Inks, fill: func(rng *rand.Rand, s world.Scene, q *Question) string {
			return factOf(rng, q, world.Inks, s.Ink, subjectGone(s))
		}},
		{name: "stroke width", weight: 1, texts: []string{
			"How thick are the lines?", "How thick are the strokes?", "What is the thickness of the lines?",
		}, fill: quantity(func(s world.Scene) float64 {
			return math.Log(s.Stroke/world.StrokeThinnest) / math.Log(world.StrokeWidest/world.StrokeThinnest)
		})},
	}
}

func roomTopics() []topic {
	return []topic{
		{name: "a closer", weight: 8, mark: world.PointsMark, own: true, texts: []string{
			"Is A closer than B?", "Is A closer to us?", "Is the object at A the closer one?", "Is A the closer point?", "Is B farther away than A?", "Is A closer to us than B?",
		}, fill: closer(1)},
		{name: "b closer", weight: 8, mark: world.PointsMark, own: true, texts: []string{
			"Is B closer than A?", "Is B closer to us?", "Is the object at B the closer one?", "Is B the closer point?", "Is A farther away than B?", "Is B closer to us than A?",
		}, fill: closer(-1)},
		{name: "object", weight: 5, hue: true, own: true, texts: []string{
			"Does the picture show %s?", "Is there %s in the picture?", "Is %s in the picture?", "Can you see %s?",
		}, words: objectPhrases(), fill: askObject},
		{name: "two objects", weight: 3, texts: []string{
			"Are there two objects?", "Does the picture show two objects?", "Are there two objects in the picture?", "Can you see two objects?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string {
			q.Logit = fact(true, max(objectGone(s, 0), objectGone(s, 1)))
			return ""
		}},
		{name: "room place", weight: 1, hue: true, texts: []string{
			"Are the objects on a %s?", "Do the objects lie on a %s?", "Is this on a %s?",
		}, words: world.RoomPlaces, fill: func(rng *rand.Rand, s world.Scene, q *Question) string {
			return factOf(rng, q, world.RoomPlaces, s.Place, min(objectGone(s, 0), objectGone(s, 1)))
		}},
		{name: "left nearness", weight: 1, texts: []string{
			"How close is the left object?", "How near is the object on the left?",
		}, fill: nearness(0)},
		{name: "right nearness", weight: 1, texts: []string{
			"How close is the right object?", "How near is the object on the right?",
		}, fill: nearness(1)},
	}
}

func lakeTopics() []topic {
	return []topic{
		{name: "frozen", weight: 6, hue: true, own: true, texts: []string{
			"Is the lake frozen?", "Is the lake covered with ice?", "Is there ice on the lake?", "Is the water frozen?", "Does the picture show a frozen lake?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(s.Amount-.5)) }},
		seasonTopic("winter", "winter", func(s world.Scene) bool { return s.Winter }),
		seasonTopic("summer", "summer", func(s world.Scene) bool { return !s.Winter }),
		{name: "lake", weight: 2, own: true, texts: []string{
			"Is there a lake in the picture?", "Does the picture show a lake?", "Can you see a lake?", "Is this a picture of a lake?",
		}, fill: subjectThere},
		lineTopic(1),
		thingTopic("lake thing", []string{"tree", "house", "boat", world.Mountains}, 2),
		{name: "ice", weight: 1, hue: true, texts: []string{
			"How much of the lake is ice?", "How much ice is on the lake?",
		}, fill: quantity(func(s world.Scene) float64 { return s.Amount })},
	}
}

func lampTopics() []topic {
	return []topic{
		{name: "lit", weight: 5, hue: true, own: true, texts: []string{
			"Is the lamp on?", "Is the lamp lit?", "Does the lamp give light?", "Is there light from the lamp?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(s.Amount-.5)) }},
		{name: "unlit", weight: 2, hue: true, own: true, texts: []string{
			"Is the lamp off?", "Is the lamp unlit?", "Is the lamp dark?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(.5-s.Amount)) }},
		{name: "night", weight: 2, hue: true, texts: []string{
			"Is it night in the picture?", "Is it night?", "Does the picture show a room at night?", "Was the picture made at night?",
		}, fill: plain(func(s world.Scene) bool { return s.Night })},
		{name: "day", weight: 1, hue: true, texts: []string{
			"Is it day in the picture?", "Is it day?", "Does the picture show a room by day?", "Was the picture made by day?",
		}, fill: plain(func(s world.Scene) bool { return !s.Night })},
		{name: "lamp", weight: 2, own: true, texts: []string{
			"Is there a lamp in the picture?", "Does the picture show a lamp?", "Can you see a lamp?", "Is this a picture of a lamp?",
		}, fill: subjectThere},
		thingTopic("lamp thing", []string{"window", "chair", "cat", "plant"}, 2),
		{name: "light", weight: 1, hue: true, texts: []string{
			"How bright is the lamp?", "How much light does the lamp give?",
		}, fill: quantity(func(s world.Scene) float64 { return s.Amount })},
	}
}

func treeTopics() []topic {
	return []topic{
		{name: "bare", weight: 5, own: true, texts: []string{
			"Is the tree bare?", "Has the tree lost its leaves?", "Is the tree without leaves?", "Does the picture show a bare tree?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(s.Amount-.5)) }},
		{name: "in leaf", weight: 2, own: true, texts: []string{
			"Are there leaves on the tree?", "Does the tree have leaves?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(.5-s.Amount)) }},
		seasonTopic("tree in winter", "winter", func(s world.Scene) bool { return s.Winter }),
		seasonTopic("tree in summer", "summer", func(s world.Scene) bool { return !s.Winter }),
		{name: "tree", weight: 2, own: true, texts: []string{
			"Is there a tree in the picture?", "Does the picture show a tree?", "Can you see a tree?", "Is this a picture of a tree?",
		}, fill: subjectThere},
		thingTopic("tree thing", []string{"bench", "bird", "fence"}, 2),
		{name: "leaves", weight: 1, texts: []string{
			"How many leaves has the tree lost?", "How bare is the tree?",
		}, fill: quantity(func(s world.Scene) float64 { return s.Amount })},
	}
}

func houseTopics() []topic {
	return []topic{
		{name: "windows lit", weight: 5, hue: true, own: true, texts: []string{
			"Are the windows lit?", "Is there light in the windows?", "Is the house lit?", "Is there light in the house?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(s.Amount-.5)) }},
		{name: "windows dark", weight: 2, hue: true, own: true, texts: []string{
			"Are the windows dark?", "Is the house unlit?",
		}, fill: func(_ *rand.Rand, s world.Scene, q *Question) string { return q.subject(s, 8*(.5-s.Amount)) }},
		{name: "house at night", weight: 2, hue: true, texts: []string{
			"Is it night in the picture?", "Is it night?", "Does the picture show a house at night?", "Was the picture made at night?",
		}, fill: plain(func(s world.Scene) bool { return s.Night })},
		{name: "house by day", weight: 1, hue: true, texts: []string{
			"Is it day in the picture?", "Is it day?", "Does the picture show a house by day?", "Was the picture made by day?",
		}, fill: plain(func(s world.Scene) bool { return !s.Night })},
		{name: "house", weight: 2, own: true, texts: []string{
			"Is there a house in the picture?", "Does the picture show a house?", "Can you see a house?", "Is this a picture of a house?",
		}, fill: subjectThere},
		thingTopic("house thing", []string{"car", "bench", "fence"}, 2),
		{name: "window light", weight: 1, hue: true, texts: []string{
			"How bright are the windows?", "How much light is in the windows?",
		}, fill: quantity(func(s world.Scene) float64 { return s.Amount })},
	}
}

// seasonTopic asks for a season.
func seasonTopic(name, season string, is func(world.Scene) bool) topic {
	return topic{name: name, weight: 2, hue: true, texts: []string{
		"Is it " + season + " in the picture?", "Is it " + season + "?", "Does the picture show " + season + "?", "Was the picture made in " + season + "?",
	}, fill: plain(is)}
}
