package tokenizer

import (
	"encoding/json"
	"errors"
	"slices"
)

// template is what a post-processor puts around the ids of a text, such as <s> and </s>.
type template struct{ before, after []int }

func (t template) apply(ids []int) []int {
	if len(t.before)+len(t.after) == 0 {
		return ids
	}
	return slices.Concat(t.before, ids, t.after)
}

// Affixes returns the ids that Encode puts before and after those of a text (<s>, </s>), for callers who encode
// in parts.
func (t *Tokenizer) Affixes() (before, after []int) { return t.post.before, t.post.after }

// parsePostProcessor reads a post_processor of tokenizer.json. Only what it does to the ids of one text matters
// here: ByteLevel moves offsets, and of TemplateProcessing the "pair" is for two texts.
func parsePostProcessor(kind string, o object) (template, error) {
	switch kind {
	case "Sequence":
		steps, err := components(o, "processors", parsePostProcessor)
		var t template
		for _, step := range steps {
			t.before = slices.Concat(step.before, t.before)
			t.after = append(t.after, step.after...)
		}
		return t, err
	case "TemplateProcessing":
		return parseTemplate(o)
	case "RobertaProcessing", "BertProcessing":
		f, err := read(o, struct {
			CLS         namedID `json:"cls"`
			SEP         namedID `json:"sep"`
			TrimOffsets ignored `json:"trim_offsets,omitempty"`
			PrefixSpace ignored `json:"add_prefix_space,omitempty"`
		}{})
		return template{[]int{int(f.CLS)}, []int{int(f.SEP)}}, err
	case "ByteLevel":
		return template{}, o.only("add_prefix_space", "trim_offsets", "use_regex")
	}
	return template{}, o.unsupported("type", "post-processor %q", kind)
}

// namedID is the id in a pair ["</s>", 2].
type namedID int

// UnmarshalJSON implements json.Unmarshaler.
func (n *namedID) UnmarshalJSON(raw []byte) error {
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[1], (*int)(n)) != nil {
		return errors.New("not a pair of a token and its id")
	}
	return nil
}

// templateFile is a TemplateProcessing: the list "single" holds the text once, and tokens around it.
type templateFile struct {
	Single strict[[]struct {
		Token *struct {
			ID     string  `json:"id"`
			TypeID ignored `json:"type_id"`
		} `json:"SpecialToken"`
		Text *ignored `json:"Sequence"`
	}] `json:"single"`
	Pair   ignored `json:"pair,omitempty"`
	Tokens strict[map[string]struct {
		IDs    []int   `json:"ids"`
		ID     ignored `json:"id"`
		Tokens ignored `json:"tokens"`
	}] `json:"special_tokens"`
}

func parseTemplate(o object) (template, error) {
	const longest = 100
	var t template
	f, err := read(o, templateFile{})
	if err != nil {
		return t, err
	}
	texts := 0
	for i, item := range f.Single.value {
		if (item.Text == nil) == (item.Token == nil) {
			return t, o.malformed("single", "item %d is neither a SpecialToken nor a Sequence", i)
		}
		if item.Text != nil {
			texts++
			continue
		}
		token, ok := f.Tokens.value[item.Token.ID]
		if !ok || token.IDs == nil {
			return t, o.malformed("single", "%q has no ids in special_tokens", item.Token.ID)
		}
		if texts == 0 {
			t.before = append(t.before, token.IDs...)
		} else {
			t.after = append(t.after, token.IDs...)
		}
		if len(t.before)+len(t.after) > longest {
			return t, o.malformed("single", "more than %d tokens", longest)
		}
	}
	if texts != 1 {
		return t, o.unsupported("single", "a template that holds the text %d times", texts)
	}
	return t, nil
}
