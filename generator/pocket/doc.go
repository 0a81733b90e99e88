// Package pocket is the small text-to-image generator that the library carries in
// itself: a rectified-flow transformer on the latents of an autoencoder, trained
// by this project on drawn scenes of 64x64 pixels. It is an ordinary
// implementation of dualprocess.Generator and takes the same way through
// Distill as any other.
//
// Its folder has the layout of a diffusers pipeline: model_index.json,
// transformer, vae (the decoder), scheduler, tokenizer.
//
// # What it understands
//
// It draws seven kinds of scenes: landscapes, line drawings, two objects in a room,
// a lake, a lamp, a tree, and a house. Their prompts follow these patterns, where (a|b) is one of
// several and [c] may be left out; [Prompts] returns them. The two objects of a room
// have different colours.
//
//	a (meadow|desert|sea|snowfield) (by day|at sunset|at night)
//	    [with (a tree|a house|mountains|clouds|a tree and a house|a field|a tree and a field)]
//	    [in (dark academia|pastel|retro)]
//
//	a line drawing of a (circle|square|triangle|house|fish|boat|cross|cup)
//	    in (black|blue|red) ink [in (dark academia|pastel|retro)]
//
//	(a red|a green|a blue|a yellow|a purple|an orange) (ball|box|cone) and
//	    (a red|a green|a blue|a yellow|a purple|an orange) (ball|box|cone)
//	    on a (table|floor|beach) [in (dark academia|pastel|retro)]
//
//	a [frozen] lake in (winter|summer) [with (a tree|a house|a boat|mountains)]
//	    [in (dark academia|pastel|retro)]
//
//	a lamp [that is on] (by day|at night)
//	    [with (a window|a chair|a cat|a plant)] [in (dark academia|pastel|retro)]
//
//	a [bare] tree in (winter|summer) [with (a bench|a bird|a fence)]
//	    [in (dark academia|pastel|retro)]
//
//	a house [that is lit] (by day|at night) [with (a car|a bench|a fence)]
//	    [in (dark academia|pastel|retro)]
//
// The words in them are all that it knows, and [Vocabulary] lists them. Upper and
// lower case are the same. Another word in a prompt is an error that wraps
// ErrUnknownWord; known words in another order are encoded, but what they give was
// never trained.
package pocket
