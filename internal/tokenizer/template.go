package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// template is what a post-processor puts around the ids of a text, such as <s> and </s>.
type template struct{ before, after []int }

func (t template) apply(ids []int) []int {
	if len(t.before)+len(t.after) == 0 {
		return ids
	}
	out := make([]int, 0, len(t.before)+len(ids)+len(t.after))
	return append(append(append(out, t.before...), ids...), t.after...)
}

// Affixes returns the ids that Encode puts before and after those of a text (<s>, </s>), for callers who encode
// in parts.
func (t *Tokenizer) Affixes() (before, after []int) { return t.post.before, t.post.after }

// parsePostProcessor reads a post_processor of tokenizer.json. Only what it does to the ids of one text matters
// here: ByteLevel moves offsets, and of TemplateProcessing the "pair" is for two texts.
func parsePostProcessor(o object) (template, error) {
	kind, err := o.kind()
	if err != nil {
		return template{}, err
	}
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

// parseTemplate reads the list "single", which holds the text once, and the ids of the tokens that it names.
func parseTemplate(o object) (template, error) {
	const longest = 100
	items, err := o.list("single")
	if err != nil {
		return template{}, err
	}
	ids, err := parseTemplateTokens(o)
	if err != nil {
		return template{}, err
	}
	var t template
	texts := 0
	for i, raw := range items {
		tokens, isText, err := parseTemplateItem(o, i, raw, ids)
		switch {
		case err != nil:
			return t, err
		case isText:
			texts++
		case texts == 0:
			t.before = append(t.before, tokens...)
		default:
			t.after = append(t.after, tokens...)
		}
		if len(t.before)+len(t.after) > longest {
			return t, o.malformed("single", "more than %d tokens", longest)
		}
	}
	if texts != 1 {
		return t, o.unsupported("single", "a template that holds the text %d times", texts)
	}
	return t, o.only("pair")
}

// parseTemplateTokens reads the ids of each special token of a template.
func parseTemplateTokens(o object) (map[string][]int, error) {
	special, err := o.open("special_tokens", o.take("special_tokens"))
	if err != nil {
		return nil, err
	}
	ids := map[string][]int{}
	for name, raw := range special.fields {
		c, err := special.open(name, raw)
		if err != nil {
			return nil, err
		}
		f, err := read(c, struct {
			IDs    []int   `json:"ids"`
			ID     ignored `json:"id,omitempty"`
			Tokens ignored `json:"tokens,omitempty"`
		}{})
		if err != nil {
			return nil, err
		}
		ids[name] = f.IDs
	}
	return ids, nil
}

// parseTemplateItem reads an item {"SpecialToken": {"id": "<s>"}} and returns that token's ids, or {"Sequence": …},
// which stands for the text.
func parseTemplateItem(o object, i int, raw []byte, ids map[string][]int) (tokens []int, isText bool, err error) {
	item, err := o.open(fmt.Sprintf("single[%d]", i), raw)
	if err != nil {
		return nil, false, err
	}
	if item.take("Sequence") != nil {
		return nil, true, item.only()
	}
	token, err := item.open("SpecialToken", item.take("SpecialToken"))
	if err != nil {
		return nil, false, err
	}
	f, err := read(token, struct {
		ID     string  `json:"id"`
		TypeID ignored `json:"type_id,omitempty"`
	}{})
	if err != nil {
		return nil, false, err
	}
	tokens, ok := ids[f.ID]
	if !ok {
		return nil, false, token.malformed("id", "%q is not among special_tokens", f.ID)
	}
	return tokens, false, item.only()
}
