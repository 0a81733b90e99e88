package tokenizer

// piece is a stretch of normalized text on its way through the pre-tokenizers.
type piece struct {
	text  string
	start bool // it begins where the whole text begins: Metaspace's scheme "first" asks
}

// preTokenizer cuts pieces into smaller ones. Empty pieces are dropped.
type preTokenizer interface {
	split(in []piece) ([]piece, error)
}

// preTokenizers run in turn; none leaves the pieces whole.
type preTokenizers []preTokenizer

func (p preTokenizers) split(in []piece) ([]piece, error) {
	var err error
	for _, step := range p {
		if in, err = step.split(in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// splitter cuts at what find finds.
type splitter struct {
	find     finder
	behavior behavior
}

func (s splitter) split(in []piece) ([]piece, error) {
	var out []piece
	for _, p := range in {
		spans, err := s.find(p.text)
		if err != nil {
			return nil, err
		}
		for _, c := range s.behavior.arrange(spans) {
			if c.start < c.end {
				out = append(out, piece{text: p.text[c.start:c.end], start: p.start && c.start == 0})
			}
		}
	}
	return out, nil
}

// parsePreTokenizer reads a pre_tokenizer of tokenizer.json.
func parsePreTokenizer(o *object) preTokenizer {
	var p preTokenizer
	switch kind := o.text("type"); kind {
	case "Sequence":
		var seq preTokenizers
		for _, c := range o.objects("pretokenizers") {
			seq = append(seq, parsePreTokenizer(c))
			o.adopt(c)
		}
		p = seq
	case "Whitespace":
		p = splitter{findWords, removed}
	case "WhitespaceSplit":
		p = splitter{findRunes(isSpace), removed}
	case "Punctuation":
		p = splitter{findRunes(isPunctuation), parseBehavior(o, "Isolated")}
	default:
		o.refuse("type", "pre-tokenizer %q", kind)
	}
	return p
}
