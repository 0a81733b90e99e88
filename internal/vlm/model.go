package vlm

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// Model is what the folder of one vision-language model gives.
type Model interface {
	// Layout says what becomes of pictures of a size. It runs on the host. The
	// error wraps ErrPictureSize where the model's rule refuses the size.
	Layout(picture vision.Size) (Layout, error)

	// Prompt returns what is put to the model when the question, suffix included,
	// is asked about a picture. The picture comes before the question.
	Prompt(question string) Prompt

	// Features maps pictures, float32 [B, H, W, 3] as a Verifier is given them
	// (nominally in [0, 1], not clamped), to vectors [B, T, hidden] for the T image
	// tokens of their Layout, in the runtime's dtype. It is a graph method.
	//
	// It records, by the names of the fixtures' keys: pixel_values, patch_embed,
	// vision_blocks.0 and so on, vision_output, projector_output, and what else the
	// fixtures hold of this model.
	Features(f nn.Pass, image *Node) *Node
}

// Deep is a Model whose tower also gives vectors to the first layers of the language
// model (DeepStack).
type Deep interface {
	// DeepFeatures returns Features and, for each of the first layers, what is added at
	// the image tokens to its output, [B, T, hidden]. Verifiers call it in place of
	// Features, and record what is added as deepstack_features.
	DeepFeatures(f nn.Pass, image *Node) (features *Node, deep []*Node)
}

// Layout is what a picture becomes in the sequence.
type Layout struct {
	// Resized is the size that the picture is brought to, before any crop.
	Resized vision.Size

	// Tokens stand in place of the prompt's image token: image tokens, whose vectors
	// come from Features in this order, and what is around and between them
	// (breaks between rows, say), whose vectors are those of words.
	Tokens []int

	// Positions of Tokens for the rotary embedding, per axis, counted from that of
	// the first; nil counts on, token by token. Next is the position of the token
	// that follows, counted likewise; it is only read with Positions.
	Positions [][]int
	Next      int

	// Bidirectional lets the image tokens attend to each other in both directions,
	// where all others attend to those before them alone.
	Bidirectional bool

	// Activations estimates the numbers that the backward pass of the vision tower
	// keeps per picture, for Options.Checkpoint; 0 where they don't matter.
	Activations int
}

// Prompt is a text about a picture.
type Prompt struct {
	// Parts are the text, in which Setup.Image stands once. What a user
	// wrote is Literal.
	Parts []tokenizer.Part
	// Template says that the tokenizer puts its own tokens (<s>) before the text;
	// leave it false where the text names them itself.
	Template bool
	// Separator stands between the prompt and the answer, as part of the latter.
	Separator string
}

// Ask makes the parts of a prompt: a question between two pieces of a template.
func Ask(before, question, after string) []tokenizer.Part {
	return []tokenizer.Part{{Text: before}, {Text: question, Literal: true}, {Text: after}}
}

// Setup are the pieces of a verifier.
type Setup struct {
	Name      string // of the package, for errors
	Model     Model
	Decoder   *decoder.Decoder // with a head
	Tokenizer *tokenizer.Tokenizer
	Image     int   // the token of the prompt that Layout.Tokens replace, and among them the one whose vectors are Features'
	Ends      []int // tokens that end a generated text
}

// Rows are the tokens of a grid of vectors, row by row: image for each vector, rowEnd
// behind each row, and last behind the last one in its place. The grid is not empty.
func Rows(grid vision.Size, image, rowEnd, last int) (tokens []int) {
	for range grid.Height {
		tokens = append(tokens, slices.Repeat([]int{image}, grid.Width)...)
		tokens = append(tokens, rowEnd)
	}
	tokens[len(tokens)-1] = last
	return tokens
}
