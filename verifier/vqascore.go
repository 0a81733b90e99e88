package verifier

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
)

// VQATemplate is how VQAScore asks whether a caption fits, as Lin et al. (2024) do. {}
// stands for the caption.
const VQATemplate = `Does this figure show "{}"? Please answer yes or no.`

// VQAScore rates how well a picture fits a caption by a model that answers questions:
// VQAScore (Lin et al. 2024) is P(Yes) of the question whether the picture shows it. It
// is a Scorer as package clip's model is one, for captions in place of questions.
type VQAScore struct {
	// Scorer is the model that is asked: a LanguageModel of this package, or one behind an
	// API. It must be given.
	Scorer dualprocess.Scorer
	// Template is the question, with {} for the caption; "" = VQATemplate. For the pocket
	// verifier, whose words are few, it is {} alone, and the captions are its questions.
	Template string
}

var _ dualprocess.Scorer = VQAScore{}

// Score returns P(Yes), in [0, 1], that a picture shows what the caption q.Text says, or
// P of another answer where q.Answer is one. The answer must be given; a suffix of the
// question is left out, for the template says how to answer. Errors wrap
// dualprocess.ErrTask, and name the field, or are the model's.
func (s VQAScore) Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	template := s.Template
	if template == "" {
		template = VQATemplate
	}
	err := arguments.Given("Scorer", s.Scorer)
	switch {
	case err != nil:
	case !strings.Contains(template, "{}"):
		err = fmt.Errorf("%w: Template: has no {} for the caption", dualprocess.ErrTask)
	case strings.TrimSpace(q.Text) == "":
		err = fmt.Errorf("%w: Text: must not be empty", dualprocess.ErrTask)
	}
	if err != nil {
		return 0, fmt.Errorf("verifier: VQAScore: %w", err)
	}
	q.Text, q.Suffix, q.Bare = strings.ReplaceAll(template, "{}", q.Text), "", true
	return s.Scorer.Score(ctx, img, q)
}
