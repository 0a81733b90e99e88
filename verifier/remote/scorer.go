package remote

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"sync/atomic"

	"github.com/openai/openai-go/v3"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Scorer asks a model behind an endpoint about pictures. It may be used by several
// goroutines at once.
type Scorer struct {
	options Options
	service openai.ChatCompletionService
	hide    func(string) string
	dialect atomic.Pointer[dialect] // what the endpoint was found to understand
}

var _ dualprocess.Scorer = (*Scorer)(nil)

// New checks the options and reads the key. It does not connect. The error wraps
// ErrOptions, with the field's name, or ErrKey.
func New(o Options) (*Scorer, error) {
	key, err := o.resolve()
	if err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	s := &Scorer{options: o, service: newService(o, key), hide: hider(key)}
	d := newDialect(o)
	s.dialect.Store(&d)
	return s, nil
}

// String names the model and its endpoint.
func (s *Scorer) String() string {
	return fmt.Sprintf("%s at %s", s.options.Model, s.options.BaseURL)
}

// Rating is what was found about a picture.
type Rating struct {
	// P is that of the wanted answer, as the library's verifiers give it: the
	// probability of its tokens, averaged over them. Spellings that differ by case,
	// spaces and decoration are summed. Without log-probabilities it is 1 or 0.
	P float64
	// Yes and No are the same for these two answers, whatever answer is wanted.
	Yes, No float64
	// Unresolved is the probability of texts that begin as the wanted answer does
	// and that the endpoint did not follow: P is a bound from below, by so much.
	Unresolved float64
	// FromLogProbs tells whether the numbers rest on log-probabilities, or on Text.
	FromLogProbs bool
	// Text is what the model said, thoughts removed.
	Text string
}

// Normalised returns P(Yes) / (P(Yes) + P(No)), NaN where the model said neither.
func (r Rating) Normalised() float64 { return r.Yes / (r.Yes + r.No) }

// Score returns P(answer), in [0, 1], as Rate finds it; with Options.Normalise, and
// if Yes or No is wanted, in relation to the other of the two.
func (s *Scorer) Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	r, err := s.Rate(ctx, img, q)
	if err != nil {
		return 0, err
	}
	if n := r.Normalised(); s.options.Normalise && !math.IsNaN(n) {
		switch fold(q.Answer) {
		case yes:
			return n, nil
		case no:
			return 1 - n, nil
		}
	}
	return r.P, nil
}

// YesNo returns P(Yes) / (P(Yes) + P(No)): how much the model rather says Yes than
// No, whatever else it might say. q.Answer does not matter. Its errors are those of
// Rate.
func (s *Scorer) YesNo(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	q.Answer = "Yes"
	r, err := s.Rate(ctx, img, q)
	if err != nil {
		return 0, err
	}
	return r.Normalised(), nil
}

// Rate asks a question about a picture over which its overlay already lies. The
// error wraps one of the package's sentinels or the context's error; where the
// endpoint answered with a status, it is a StatusError.
func (s *Scorer) Rate(ctx context.Context, img image.Image, q dualprocess.Question) (Rating, error) {
	if err := checkAsked(ctx, "Text", q.Text); err != nil {
		return Rating{}, err
	}
	if fold(q.Answer) == "" {
		return Rating{}, fmt.Errorf("remote: %w: Answer: must not be empty", dualprocess.ErrTask)
	}
	turn, err := s.about(img, q.Prompt())
	if err != nil {
		return Rating{}, fmt.Errorf("remote: %w", err)
	}
	reply, err := s.reply(ctx, turn, *s.dialect.Load(), true)
	if err != nil {
		return Rating{}, fmt.Errorf("remote: %w", err)
	}
	r, err := s.rate(reply, q.Answer)
	if err != nil {
		return Rating{}, fmt.Errorf("remote: %w", err)
	}
	return r, nil
}

// checkAsked returns the error of a context or a question that nobody can be asked
// with.
func checkAsked(ctx context.Context, field, question string) error {
	switch {
	case ctx == nil:
		return fmt.Errorf("remote: %w: Context: must be given", dualprocess.ErrTask)
	case strings.TrimSpace(question) == "":
		return fmt.Errorf("remote: %w: %s: must not be empty", dualprocess.ErrTask, field)
	}
	return nil
}

// rate reads a reply.
func (s *Scorer) rate(reply reply, answer string) (Rating, error) {
	if s.options.Basis != Text && spell(reply, fold(answer)) {
		r, ok := rateTokens(reply, answer)
		if math.IsNaN(r.Yes + r.No + r.P + r.Unresolved) {
			return Rating{}, fmt.Errorf("%w: a token without log-probability", ErrResponse)
		}
		if ok {
			return r, nil
		}
	} else if s.options.Basis == LogProbs {
		return Rating{}, fmt.Errorf("%w of its text", ErrNoLogProbs)
	}
	if s.options.Basis == LogProbs {
		return Rating{}, fmt.Errorf("%w: it began with neither Yes nor No: %q", ErrAnswer, s.quote(reply.text))
	}
	r, ok := rateText(reply.text, answer)
	if !ok {
		return Rating{}, fmt.Errorf("%w: %q", ErrAnswer, s.quote(reply.text))
	}
	return r, nil
}

// quote makes a reply fit for an error.
func (s *Scorer) quote(text string) string { return shorten(s.hide(text)) }

// Generate returns what the model says about a picture, in at most so many tokens.
// The question is put as it is, without a suffix. Its errors are those of Rate.
func (s *Scorer) Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error) {
	if err := checkAsked(ctx, "Question", question); err != nil {
		return "", err
	}
	turn, err := s.about(img, question)
	if err != nil {
		return "", fmt.Errorf("remote: %w", err)
	}
	return s.say(ctx, turn, tokens)
}

// reply is what the model said.
type reply struct {
	text   string  // without thoughts and the spaces around it; never empty
	tokens []token // without thoughts, if the endpoint gave log-probabilities
}

// reply asks in a dialect until the endpoint understands it. What it learns by
// that is kept for the next question; of log-probabilities and the bound only if
// learn is set.
func (s *Scorer) reply(ctx context.Context, t turn, d dialect, learn bool) (reply, error) {
	for {
		params := s.params(t, d)
		d.fill(&params)
		completion, err := s.ask(ctx, params)
		next, again := s.adapt(d, completion, err, learn)
		switch {
		case again && s.options.Basis == LogProbs && next.alternatives == 0 && learn:
			return reply{}, fmt.Errorf("%w: %w", ErrNoLogProbs, err)
		case again:
			d = next
			s.keep(d, learn)
		case err != nil:
			return reply{}, err
		default:
			return s.read(completion)
		}
	}
}

// keep stores a dialect for the next question. One of a text has not the bound and
// the alternatives of a rating.
func (s *Scorer) keep(d dialect, rating bool) {
	if !rating {
		known := s.dialect.Load()
		d.alternatives, d.tokens = known.alternatives, known.tokens
	}
	s.dialect.Store(&d)
}

// adapt returns the dialect in which to ask again, and whether that is of use.
func (s *Scorer) adapt(d dialect, c *openai.ChatCompletion, err error, learn bool) (dialect, bool) {
	var refusal *StatusError
	switch {
	case errors.As(err, &refusal):
		return d.relax(refusal)
	case err == nil && learn && cutOff(c):
		return d.think(s.options)
	}
	return d, false
}

// params is a request without the fields that the dialect fills in.
func (s *Scorer) params(t turn, d dialect) openai.ChatCompletionNewParams {
	detail := ""
	if d.detail {
		detail = s.options.Detail
	}
	params := openai.ChatCompletionNewParams{Model: s.options.Model, Messages: t.messages(detail)}
	if extra := d.extra(s.options.Extra); len(extra) > 0 {
		params.SetExtraFields(extra)
	}
	return params
}

// cutOff reports whether the model had no tokens left when it began to answer.
func cutOff(c *openai.ChatCompletion) bool {
	if len(c.Choices) == 0 || c.Choices[0].FinishReason != "length" {
		return false
	}
	text, _ := content(c.Choices[0].Message)
	return answerText(text) == ""
}

// read checks a completion.
func (s *Scorer) read(c *openai.ChatCompletion) (reply, error) {
	if len(c.Choices) == 0 {
		return reply{}, fmt.Errorf("%w: it has no choices", ErrResponse)
	}
	choice := c.Choices[0]
	said, refusal := content(choice.Message)
	if refusal = strings.TrimSpace(refusal); refusal != "" {
		return reply{}, fmt.Errorf("%w: it refuses: %q", ErrAnswer, s.quote(refusal))
	}
	text := answerText(said)
	if text == "" {
		return reply{}, fmt.Errorf("%w: nothing was said, and it ended for %q", ErrAnswer, s.quote(choice.FinishReason))
	}
	tokens, err := readTokens(choice.Logprobs.Content)
	if err != nil {
		return reply{}, err
	}
	return reply{text, afterThoughts(tokens)}, nil
}
