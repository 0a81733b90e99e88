package remote

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/respjson"
)

// token is one that the model said, with those it might have said instead.
type token struct {
	choice
	others []choice // of which none is the token itself
}

// choice is a token with its probability, given the tokens before.
type choice struct {
	text string  // its bytes; may be a part of a character
	p    float64 // NaN if the endpoint gave none
}

// readTokens checks what an endpoint says about tokens. The client leaves what is
// missing at zero, which as a logarithm would be certainty.
func readTokens(content []openai.ChatCompletionTokenLogprob) ([]token, error) {
	var tokens []token
	for _, c := range content {
		if !c.JSON.Token.Valid() {
			return nil, fmt.Errorf("%w: a token without text", ErrResponse)
		}
		said, err := newChoice(c.Token, c.Bytes, known(c.Logprob, c.JSON.Logprob))
		if err != nil {
			return nil, err
		}
		t, err := newToken(said, c.TopLogprobs)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// known returns a log-probability, NaN where there is none.
func known(logProb float64, field respjson.Field) float64 {
	if !field.Valid() {
		return math.NaN()
	}
	return logProb
}

// newToken parts a token's alternatives from the token itself, which most endpoints
// list among them, and of which there may be others of the same text. An alternative
// without text or log-probability is passed over: nothing is known of it.
func newToken(said choice, listed []openai.ChatCompletionTokenLogprobTopLogprob) (token, error) {
	var others []choice
	self := -1
	for _, a := range listed {
		if !a.JSON.Token.Valid() || !a.JSON.Logprob.Valid() {
			continue
		}
		other, err := newChoice(a.Token, a.Bytes, a.Logprob)
		if err != nil {
			return token{}, err
		}
		others = append(others, other)
		if other.text == said.text && (self < 0 || math.Abs(other.p-said.p) < math.Abs(others[self].p-said.p)) {
			self = len(others) - 1
		}
	}
	if self >= 0 {
		if math.IsNaN(said.p) {
			said = others[self]
		}
		others = slices.Delete(others, self, self+1)
	}
	return token{said, others}, nil
}

func newChoice(text string, bytes []int64, logProb float64) (choice, error) {
	const rounding = 1e-3
	if logProb > rounding {
		return choice{}, fmt.Errorf("%w: a log-probability of %g", ErrResponse, logProb)
	}
	if len(bytes) > 0 {
		raw := make([]byte, len(bytes))
		for k, b := range bytes {
			if b < 0 || b > 255 {
				return choice{}, fmt.Errorf("%w: a byte of %d", ErrResponse, b)
			}
			raw[k] = byte(b)
		}
		text = string(raw)
	}
	return choice{text, math.Exp(min(logProb, 0))}, nil // of NaN, NaN
}

// afterThoughts returns the tokens that follow the end of thoughts, all if there
// is none.
func afterThoughts(tokens []token) []token {
	var text strings.Builder
	for k, t := range tokens {
		text.WriteString(t.text)
		if strings.Contains(t.text, ">") && strings.HasSuffix(strings.TrimSpace(text.String()), endOfThoughts) {
			return tokens[k+1:]
		}
	}
	return tokens
}

// special finds the tokens by which models end a text and which servers list with it.
var special = regexp.MustCompile(`<[^<>]*>|\[[^\[\]]*\]`)

// spell reports whether the tokens of a reply are those of its text, at least as far
// as they decide about the wanted answer, folded. Behind the text only special tokens
// and marks may follow, such as one at which the model was stopped: what goes on in
// words is something else that the model said, like thoughts that the endpoint hides.
func spell(reply reply, wanted string) bool {
	var all strings.Builder
	for _, t := range reply.tokens {
		all.WriteString(t.text)
	}
	const cut = "\uFFFD" // in which a text ends that was cut off within a character
	text, spelled := strings.TrimRight(fold(reply.text), cut), fold(all.String())
	if rest, found := strings.CutPrefix(spelled, text); found && text != "" {
		return strings.IndexFunc(special.ReplaceAllString(rest, ""), inWord) < 0
	}
	for _, wanted := range []string{wanted, yes, no} {
		if compare(spelled, wanted) == partial {
			return false // it goes on where nothing is listed
		}
	}
	return strings.HasPrefix(text, spelled)
}

// rateTokens finds the probabilities, and whether they say anything: where Yes or
// No is wanted, one of them must be among what the model might have begun with. They
// are NaN where they rest on a token whose probability is unknown.
func rateTokens(reply reply, answer string) (Rating, bool) {
	r := Rating{Text: reply.text, FromLogProbs: true}
	r.Yes, _ = probability(reply.tokens, yes)
	r.No, _ = probability(reply.tokens, no)
	wanted := fold(answer)
	r.P, r.Unresolved = probability(reply.tokens, wanted)
	return r, wanted != yes && wanted != no || r.Yes+r.No > 0
}

// fit is how a beginning of the text compares with the wanted answer.
type fit int

const (
	differs fit = iota
	partial     // it may become the answer
	whole       // it is the answer, whatever follows
)

// compare fits a beginning, folded, to the wanted answer. A token that goes on
// after the answer counts if the word ends there: "Yes." does, "None" does not.
func compare(beginning, wanted string) fit {
	beginning = undecorate(beginning, wanted)
	if rest, found := strings.CutPrefix(beginning, wanted); found {
		if r, _ := utf8.DecodeRuneInString(rest); inWord(r) {
			return differs
		}
		return whole
	}
	if strings.HasPrefix(wanted, beginning) || len(beginning) < utf8.UTFMax && !utf8.ValidString(beginning) {
		return partial // the second is a character cut off, and may be decoration
	}
	return differs
}

// probability of a wanted answer, folded: the sum over all ways to write it that
// the endpoint lists, along the tokens that the model said. Its n-th root is
// returned, n being the number of tokens of the likeliest way, since P(answer) is
// averaged over tokens everywhere in the library. unresolved is the sum over
// beginnings that the model might have taken but did not.
func probability(tokens []token, wanted string) (p, unresolved float64) {
	const none = -1
	path, beginning := 1.0, ""
	best, length, start := 0.0, 1, none
	for k, t := range tokens {
		var said fit
		for i, c := range append([]choice{t.choice}, t.others...) {
			f := compare(fold(beginning+c.text), wanted)
			if i == 0 {
				said = f
			}
			switch {
			case f == whole:
				p += path * c.p
				if path*c.p > best {
					best, length = path*c.p, 1
					if start != none {
						length += k - start
					}
				}
			case f == partial && i > 0:
				unresolved += path * c.p
			}
		}
		if said != partial {
			break
		}
		path, beginning = path*t.p, beginning+t.text
		if first := undecorate(fold(beginning), wanted); start == none && first != "" && strings.HasPrefix(wanted, first) {
			start = k // decoration does not count
		}
	}
	return math.Pow(min(p, 1), 1/float64(length)), min(unresolved, 1)
}
