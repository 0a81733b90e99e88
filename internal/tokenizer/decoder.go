package tokenizer

// decoder turns the names of tokens into pieces of text, to be joined.
type decoder interface {
	decode(tokens []string) []string
}

// decodeFunc is a decoder without settings.
type decodeFunc func(tokens []string) []string

func (f decodeFunc) decode(tokens []string) []string { return f(tokens) }

// spaced is what applies where a file names no decoder: a space between any two tokens.
func spaced(tokens []string) []string {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		out[i] = t
		if i > 0 {
			out[i] = " " + t
		}
	}
	return out
}

// parseDecoder reads a decoder of tokenizer.json.
func parseDecoder(o *object) decoder {
	o.refuse("type", "decoder %q", o.text("type"))
	return nil
}
