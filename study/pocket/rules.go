package pocket

import (
	"context"
	_ "embed"
	"fmt"
	"image"
	"math"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/study"
)

// rules are the common sense of the pocket world, one rule a line. The descriptions are
// captions: what they say is there, and what they do not say is not.
//
//go:embed rules.jsonl
var rules []byte

// Rules returns the embedded rules: lakes freeze in winter and not in summer, lamps are
// lit at night and not by day. They are plain English and can be asked of any model.
func Rules() []study.Rule {
	parsed, err := study.ParseRules(rules)
	if err != nil {
		panic(err) // embedded, and read by the tests
	}
	return parsed
}

// described asks Judge about a description.
func described(description string) dualprocess.Question {
	return dualprocess.Question{Text: description, Answer: "Yes", Bare: true}
}

// Judge tells whether a picture fits a caption of the pocket world with an amount in it,
// of ice or light, by measuring: 1 or 0. It is a Scorer whose questions are captions.
type Judge struct{}

var _ dualprocess.Scorer = Judge{}

// Score returns 1 if what the caption names is there, and there is as much of its ice or
// light as the caption says: more than half where it says frozen or on, else less.
func (Judge) Score(_ context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	caption, err := world.Parse(q.Text)
	if err != nil {
		return 0, fmt.Errorf("pocket: judge: %w", err)
	}
	picture := world.FromImage(img)
	amount := measuring.Amount(picture, caption.Family)
	if math.IsNaN(amount) {
		return 0, fmt.Errorf("pocket: judge: %q: nothing measures a %v", q.Text, caption.Family)
	}
	if measuring.SubjectThere(picture, caption) && (amount > .5) == caption.Said {
		return 1, nil
	}
	return 0, nil
}
