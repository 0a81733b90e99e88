// Package questions writes what the paper let GPT-4o write: questions that check what
// is to be expected of a prompt's pictures, and the prompt with that said in words.
//
//	writer := questions.Model{Chat: gpt4o}                    // a remote.Scorer
//	writer := questions.Model{Chat: questions.Local{Model: v}} // a verifier of this library
//	writer := questions.Table{"a cup": {Expanded: "a red cup"}} // what somebody wrote
//
// They are what study.Commonsense takes as its Writer.
//
// A model is asked for JSON, and what it says is checked: that it is what was asked
// for and nothing else; that questions are as many as wanted, different, of a
// reasonable length, and of a form that Yes or No answers. What fails is asked for
// again, with the reason, a few times. The paper says that its questions cover what
// common sense expects 82 % of the time: no check of a text finds the others.
package questions

import (
	"context"
	"errors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Writer writes what a person would else have to.
type Writer interface {
	// Expand says a prompt again with what is to be expected of the picture in words.
	Expand(ctx context.Context, prompt string) (string, error)
	// Question returns a question that tells pictures with what is to be expected of the
	// prompt from others, by its answer. It sees the prompt alone.
	Question(ctx context.Context, prompt string) (dualprocess.Question, error)
}

var (
	_ Writer = Model{}
	_ Writer = Table(nil)
)

// What a caller may want to tell apart. Mistakes in arguments wrap dualprocess.ErrTask.
var (
	// ErrAnswer says that what a model wrote cannot be used, after all attempts.
	ErrAnswer = errors.New("the model wrote nothing that can be used")
	// ErrUnwritten says that a table has nothing about a prompt.
	ErrUnwritten = errors.New("not in the table")
)
