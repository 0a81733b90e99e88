package tokenizer

import "encoding/json"

// template is what a post-processor puts around the ids of a text, such as <s> and </s>.
type template struct{ before, after []int }

func (t template) apply(ids []int) []int {
	if len(t.before)+len(t.after) == 0 {
		return ids
	}
	out := make([]int, 0, len(t.before)+len(ids)+len(t.after))
	return append(append(append(out, t.before...), ids...), t.after...)
}

// parsePostProcessor reads a post_processor of tokenizer.json. Only what it does to the ids of one text matters
// here: ByteLevel moves offsets, and of TemplateProcessing the "pair" is for two texts.
func parsePostProcessor(o *object) template {
	var t template
	switch kind := o.text("type"); kind {
	case "Sequence":
		for _, step := range components(o, "processors", parsePostProcessor) {
			t.before = append(append([]int{}, step.before...), t.before...)
			t.after = append(t.after, step.after...)
		}
	case "TemplateProcessing":
		t = parseTemplate(o)
	case "RobertaProcessing", "BertProcessing":
		o.ignore("trim_offsets", "add_prefix_space")
		t = template{before: parseNamedID(o, "cls"), after: parseNamedID(o, "sep")}
	case "ByteLevel":
		o.ignore("add_prefix_space", "trim_offsets", "use_regex")
	default:
		o.refuse("type", "post-processor %q", kind)
	}
	return t
}

// parseNamedID reads a pair ["</s>", 2] and returns the id.
func parseNamedID(o *object, name string) []int {
	var id int
	if pair := field[[]json.RawMessage](o, name, nil); len(pair) != 2 || json.Unmarshal(pair[1], &id) != nil {
		o.fail(name, "not a pair of a token and its id")
	}
	return []int{id}
}

// parseTemplate reads the list "single", which holds the text once, and the ids of the tokens that it names.
func parseTemplate(o *object) template {
	const longest = 100
	o.ignore("pair")
	ids := parseTemplateTokens(o)
	var t template
	texts := 0
	for _, item := range o.objects("single") {
		switch {
		case item.raw("Sequence") != nil:
			texts++
		case texts == 0:
			t.before = append(t.before, parseSpecial(item, ids)...)
		default:
			t.after = append(t.after, parseSpecial(item, ids)...)
		}
		o.adopt(item)
		if len(t.before)+len(t.after) > longest {
			o.fail("single", "more than %d tokens", longest)
			break
		}
	}
	if texts != 1 {
		o.refuse("single", "a template that holds the text %d times", texts)
	}
	return t
}

// parseTemplateTokens reads the ids of each special token of a template.
func parseTemplateTokens(o *object) map[string][]int {
	ids := map[string][]int{}
	special := o.child("special_tokens")
	for name := range special.fields {
		c := special.child(name)
		c.ignore("id", "tokens")
		ids[name] = field[[]int](c, "ids", nil)
		special.adopt(c)
	}
	o.adopt(special)
	return ids
}

// parseSpecial reads an item {"SpecialToken": {"id": "<s>"}} and returns that token's ids.
func parseSpecial(item *object, ids map[string][]int) []int {
	c := item.child("SpecialToken")
	c.ignore("type_id")
	name := c.text("id")
	if _, ok := ids[name]; !ok {
		c.fail("id", "%q is not among special_tokens", name)
	}
	item.adopt(c)
	return ids[name]
}
