// Package pocket is the small vision-language model that the library carries in
// itself: it answers questions about pictures of the pocket world, drawn or
// generated. It was trained by this project, on scenes whose answers are known
// because they are drawn. It is an ordinary implementation of
// dualprocess.Verifier.
//
// Pictures are square, with a multiple of 64 pixels a side; larger ones are averaged
// down to 64. Its folder holds config.json, model.safetensors and tokenizer.json.
//
// # What it understands
//
// It was shown landscapes, line drawings, two objects in a room, a lake, a lamp, a
// tree, and a house: see generator/pocket. Its questions follow these patterns, where (a|b) is
// one of several; [Questions] returns them. It knows most of them in other wordings
// too, all within its [Vocabulary], and with the words "Answer with Yes or No."
// after them. An overlay shows what a question is about, if it is about a mark;
// without it the answer is no.
//
// About landscapes, the first under an overlay.HorizonLine:
//
//	Does the horizon lie on the red line?
//	Is the horizon in the (upper|lower) half of the picture?
//	Is it (day|sunset|night) in the picture?
//	Does the picture show a (meadow|desert|sea|snowfield)?
//	Is there (a tree|a house|a field) in the picture?
//	Are there (mountains|clouds) in the picture?
//	At what height is the horizon?
//
// About landscapes under an overlay.Composition of a red line across, a blue one from
// top to bottom and an area without a colour, the first of these and:
//
//	Is the tree on the blue line?
//	Is the field in the red box?
//
// About line drawings, the second under an overlay.LineSample:
//
//	Are the lines (thick|thin)?
//	Are the lines as thick as the sample?
//	Is there a drawing of a
//	    (circle|square|triangle|house|fish|boat|cross|cup)?
//	Is the ink (black|blue|red)?
//	How thick are the lines?
//
// About two objects, the first under overlay.Points with the blue {30, 60, 220} as
// ColorB:
//
//	Is (A closer than B|B closer than A)?
//	Does the picture show
//	    (a red|a green|a blue|a yellow|a purple|an orange) (ball|box|cone)?
//	Are there two objects?
//	Are the objects on a (table|floor|beach)?
//	How close is the (left|right) object?
//
// About lakes, which also have a horizon and things beside them:
//
//	Is the lake frozen?
//	Is it (winter|summer) in the picture?
//	Is there a lake in the picture?
//	Is there a boat in the picture?
//	How much of the lake is ice?
//
// About lamps, by day or at night:
//
//	Is the lamp (on|off)?
//	Is there a lamp in the picture?
//	Is there (a window|a chair|a cat|a plant) in the picture?
//	How bright is the lamp?
//
// About trees in summer or winter, and about houses by day or at night:
//
//	Is the tree bare?
//	Are there leaves on the tree?
//	Is there (a bench|a bird|a fence|a car) in the picture?
//	How bare is the tree?
//	Are the windows (lit|dark)?
//	How bright are the windows?
//
// About all of them, under an overlay.Palette at the bottom with the colours of
// overlay.DarkAcademia, overlay.Pastel or overlay.Retro:
//
//	Do the colours of this image match the palette at the bottom?
//
// The answer is one word. It is yes or no, but for the questions for a quantity (at
// what height, how thick, how close, how much, how bright, how bare): theirs is one of zero,
// one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve,
// thirteen, fourteen and fifteen, for a sixteenth of the quantity's range. A word
// outside the vocabulary is an error that wraps ErrUnknownWord.
package pocket
