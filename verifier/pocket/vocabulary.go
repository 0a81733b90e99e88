package pocket

import "github.com/dualprocess/dualprocess-go/internal/tokenizer"

// Questions returns patterns of the questions that the embedded model was trained
// on. In them (a|b) is one of several. It knows most questions in several wordings,
// of which one is listed.
func Questions() []string {
	return []string{
		// landscapes
		"Does the horizon lie on the red line?",
		"Is the horizon in the (upper|lower) half of the picture?",
		"Is it (day|sunset|night) in the picture?",
		"Does the picture show a (meadow|desert|sea|snowfield)?",
		"Is there (a tree|a house|a field) in the picture?",
		"Are there (mountains|clouds) in the picture?",
		"At what height is the horizon?",
		"Is the tree on the blue line?",
		"Is the field in the red box?",
		// drawings
		"Are the lines (thick|thin)?",
		"Are the lines as thick as the sample?",
		"Is there a drawing of a (circle|square|triangle|house|fish|boat|cross|cup)?",
		"Is the ink (black|blue|red)?",
		"How thick are the lines?",
		// rooms
		"Is (A closer than B|B closer than A)?",
		"Does the picture show (a red|a green|a blue|a yellow|a purple|an orange) (ball|box|cone)?",
		"Are there two objects?",
		"Are the objects on a (table|floor|beach)?",
		"How close is the (left|right) object?",
		// lakes
		"Is the lake frozen?",
		"Is it (winter|summer) in the picture?",
		"Is there a lake in the picture?",
		"Is there a boat in the picture?",
		"How much of the lake is ice?",
		// lamps
		"Is the lamp (on|off)?",
		"Is there a lamp in the picture?",
		"Is there (a window|a chair|a cat|a plant) in the picture?",
		"How bright is the lamp?",
		// trees and houses
		"Is the tree bare?",
		"Are there leaves on the tree?",
		"Is there (a bench|a bird|a fence|a car) in the picture?",
		"How bare is the tree?",
		"Are the windows (lit|dark)?",
		"How bright are the windows?",
		// all of them
		"Do the colours of this image match the palette at the bottom?",
	}
}

// Vocabulary returns all words and punctuation marks that the embedded model knows,
// sorted.
func Vocabulary() []string {
	t, err := tokenizer.Open(embedded, "weights")
	if err != nil {
		panic(err) // the file is part of the program
	}
	return t.Words()
}
