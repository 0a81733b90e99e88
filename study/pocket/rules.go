package pocket

import (
	"context"
	_ "embed"
	"fmt"
	"image"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/questions"
)

// rules are the common sense of the pocket world, one rule a line.
//
//go:embed rules.jsonl
var rules []byte

// Rules returns the embedded rules: lakes freeze in winter and not in summer, trees lose
// their leaves; lamps are lit at night and not by day, and so are windows. They are plain
// English and can be asked of any model.
func Rules() []study.Rule {
	parsed, err := study.ParseRules(rules)
	if err != nil {
		panic(err) // embedded, and read by the tests
	}
	return parsed
}

// Writer has the questions and expanded prompts of the embedded rules, by their prompts.
func Writer() questions.Table {
	table := questions.Table{}
	for _, r := range Rules() {
		for _, side := range r.Sides {
			table[side.Prompt] = questions.Entry{Question: dualprocess.Question{Text: side.Question, Answer: side.Answer}, Expanded: side.Expanded}
		}
	}
	return table
}

// described asks Judge about a description.
func described(description string) dualprocess.Question {
	return dualprocess.Question{Text: description, Answer: "Yes", Bare: true}
}

// fact is what a description says of a picture, or its opposite: that there is more than
// half of something, or less.
type fact struct {
	more, less string
	subject    world.Scene // without which neither is true
	amount     func(p *world.Picture) float64
}

// facts are what Judge knows. A rule about one of them is a line of data; another
// measurement is a line here.
func facts() []fact {
	return []fact{
		{"The lake is frozen", "The lake is not frozen", world.Scene{Family: world.Lake}, amountOf(world.Lake)},
		{"The lamp is on", "The lamp is off", world.Scene{Family: world.Lamp}, amountOf(world.Lamp)},
		{"The tree is bare", "The tree has leaves", world.Scene{Family: world.Tree}, amountOf(world.Tree)},
		{"The windows are lit", "The windows are dark", world.Scene{Family: world.House}, amountOf(world.House)},
	}
}

func amountOf(f world.Family) func(*world.Picture) float64 {
	return func(p *world.Picture) float64 { return measuring.Amount(p, f) }
}

// Judge tells whether a picture of the pocket world fits a description of the embedded
// rules, by measuring: 1 or 0. It is a Scorer whose questions are the descriptions.
type Judge struct{}

var _ dualprocess.Scorer = Judge{}

// Score returns 1 if what the description is about is there and is as it says.
func (Judge) Score(_ context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	picture := world.FromImage(img)
	for _, f := range facts() {
		if q.Text != f.more && q.Text != f.less {
			continue
		}
		if measuring.SubjectThere(picture, f.subject) && (f.amount(picture) > .5) == (q.Text == f.more) {
			return 1, nil
		}
		return 0, nil
	}
	return 0, fmt.Errorf("pocket: judge: nothing measures whether %q", q.Text)
}
