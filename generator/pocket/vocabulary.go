package pocket

import "github.com/dualprocess/dualprocess-go/internal/tokenizer"

// Prompts returns the patterns of the prompts that the embedded model was trained
// on, one for each kind of scene. In them (a|b) is one of several, and [c] may be
// left out.
func Prompts() []string {
	const palettes = " [in (dark academia|pastel|retro)]"
	const colour = "(a red|a green|a blue|a yellow|a purple|an orange) (ball|box|cone)"
	return []string{
		"a (meadow|desert|sea|snowfield) (by day|at sunset|at night) [with (a tree|a house|mountains|clouds|a tree and a house|a field|a tree and a field)]" + palettes,
		"a line drawing of a (circle|square|triangle|house|fish|boat|cross|cup) in (black|blue|red) ink" + palettes,
		colour + " and " + colour + " on a (table|floor|beach)" + palettes,
		"a [frozen] lake in (winter|summer) [with (a tree|a house|a boat|mountains)]" + palettes,
		"a lamp [that is on] (by day|at night) [with (a window|a chair|a cat|a plant)]" + palettes,
		"a [bare] tree in (winter|summer) [with (a bench|a bird|a fence)]" + palettes,
		"a house [that is lit] (by day|at night) [with (a car|a bench|a fence)]" + palettes,
	}
}

// Vocabulary returns all words that the embedded model knows, sorted.
func Vocabulary() []string {
	t, err := tokenizer.Open(embedded, "weights/tokenizer")
	if err != nil {
		panic(err) // the file is part of the program
	}
	return t.Words()
}
