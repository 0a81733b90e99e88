package remote

import (
	"maps"
	"net/http"
	"regexp"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
)

const (
	alternatives    = 20 // that the protocol lists at most per token
	fewAlternatives = 5  // that every endpoint lists, if it lists any

	shortAnswer = 16   // tokens, for a Yes or No with some decoration
	longAnswer  = 4096 // tokens, for models that think first
)

// dialect are the fields of a request in which endpoints and models differ. It
// begins with what most understand and learns from refusals: a model that thinks
// takes neither log-probabilities nor a temperature, an old server knows max_tokens
// alone, OpenAI's newer models only max_completion_tokens.
type dialect struct {
	alternatives int64 // per token; 0 = log-probabilities are not asked for
	maxTokens    bool  // the bound is called max_tokens and not max_completion_tokens
	renamed      bool  // it was called otherwise at first
	tokens       int64 // the bound

	// Whether these are sent: temperature 0, or what Extra says, seed from Extra, and Options.Detail.
	temperature, seed, detail bool
}

func newDialect(o Options) dialect {
	d := dialect{tokens: shortAnswer, temperature: true, detail: o.Detail != ""}
	if o.MaxTokens > 0 {
		d.tokens = int64(o.MaxTokens)
	}
	if o.Basis != Text {
		d.alternatives = alternatives
	}
	d.maxTokens = strings.TrimRight(o.BaseURL, "/") != openAI
	_, d.seed = o.Extra["seed"]
	return d
}

// extra returns the extra fields without those that the endpoint refused.
func (d dialect) extra(fields map[string]any) map[string]any {
	fields = maps.Clone(fields)
	if !d.temperature {
		delete(fields, "temperature")
	}
	if !d.seed {
		delete(fields, "seed")
	}
	return fields
}

// fill sets the fields of a request.
func (d dialect) fill(params *openai.ChatCompletionNewParams) {
	if d.alternatives > 0 {
		params.Logprobs = param.NewOpt(true)
		params.TopLogprobs = param.NewOpt(d.alternatives)
	}
	if d.temperature {
		params.Temperature = param.NewOpt(0.0)
	}
	if d.maxTokens {
		params.MaxTokens = param.NewOpt(d.tokens)
	} else {
		params.MaxCompletionTokens = param.NewOpt(d.tokens)
	}
}

// bounded finds a refusal that is about how many alternatives are asked for.
var bounded = regexp.MustCompile(`less|greater|max|at most|between|exceed|range|up to`)

// relax returns the dialect without the field that the endpoint refused, and
// whether there is such a field. It never gives the same dialect twice.
func (d dialect) relax(e *StatusError) (dialect, bool) {
	if e.Status != http.StatusBadRequest && e.Status != http.StatusUnprocessableEntity {
		return d, false
	}
	text := strings.ToLower(e.Message)
	for _, fault := range []string{strings.ToLower(e.Param), text} {
		if next, ok := d.without(fault, text); ok {
			return next, true
		}
	}
	return d, false
}

// without returns the dialect without the field that fault names, and whether it
// names one; text is all that the endpoint says.
func (d dialect) without(fault, text string) (dialect, bool) {
	names := func(field string) bool { return strings.Contains(fault, field) }
	switch {
	case d.alternatives > fewAlternatives && names("logprobs") && bounded.MatchString(text):
		d.alternatives = fewAlternatives
	case d.alternatives > 0 && names("logprobs"):
		d.alternatives = 0
	case !d.renamed && (names("max_tokens") || names("max_completion_tokens")):
		d.maxTokens, d.renamed = !d.maxTokens, true
	case d.temperature && names("temperature"):
		d.temperature = false
	case d.seed && names("seed"):
		d.seed = false
	case d.detail && names("detail"):
		d.detail = false
	default:
		return d, false
	}
	return d, true
}

// think returns the dialect for a model whose answer was cut off before it began,
// and whether there is one.
func (d dialect) think(o Options) (dialect, bool) {
	if o.MaxTokens > 0 || d.tokens >= longAnswer {
		return d, false
	}
	d.tokens = longAnswer
	return d, true
}
