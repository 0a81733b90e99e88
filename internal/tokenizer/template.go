package tokenizer

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
		for _, c := range o.objects("processors") {
			t.wrap(parsePostProcessor(c))
			o.adopt(c)
		}
	case "TemplateProcessing":
		t = parseTemplate(o)
	case "ByteLevel":
		o.ignore("add_prefix_space", "trim_offsets", "use_regex")
	default:
		o.refuse("type", "post-processor %q", kind)
	}
	return t
}

// wrap puts outer around t.
func (t *template) wrap(outer template) {
	t.before = append(append([]int{}, outer.before...), t.before...)
	t.after = append(t.after, outer.after...)
}

// parseTemplate reads the list "single", which holds the text once, and the ids of the tokens that it names.
func parseTemplate(o *object) template {
	o.ignore("pair")
	ids := map[string][]int{}
	special := o.child("special_tokens")
	for name := range special.fields {
		c := special.child(name)
		c.ignore("id", "tokens")
		ids[name] = field[[]int](c, "ids", nil)
		special.adopt(c)
	}
	o.adopt(special)
	var t template
	texts := 0
	for _, item := range o.objects("single") {
		if item.raw("Sequence") != nil {
			texts++
			item.raw("Sequence")
		} else {
			c := item.child("SpecialToken")
			c.ignore("type_id")
			name := c.text("id")
			if _, ok := ids[name]; !ok {
				c.fail("id", "%q is not among special_tokens", name)
			}
			if texts == 0 {
				t.before = append(t.before, ids[name]...)
			} else {
				t.after = append(t.after, ids[name]...)
			}
			item.adopt(c)
		}
		o.adopt(item)
	}
	if texts != 1 {
		o.refuse("single", "a template that holds the text %d times", texts)
	}
	return t
}
