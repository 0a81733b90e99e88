package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder turns the names of tokens into pieces of text, to be joined.
type decoder interface {
	decode(tokens []string) []string
}

// decodeFunc is a decoder without settings.
type decodeFunc func(tokens []string) []string

func (f decodeFunc) decode(tokens []string) []string { return f(tokens) }

// decoders run in turn.
type decoders []decoder

func (d decoders) decode(tokens []string) []string {
	for _, step := range d {
		tokens = step.decode(tokens)
	}
	return tokens
}

// each decodes token by token.
func each(f func(i int, token string) string) decoder {
	return decodeFunc(func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, t := range tokens {
			out[i] = f(i, t)
		}
		return out
	})
}

// spaced is what applies where a file names no decoder: a space between any two tokens.
func spaced() decoder {
	return each(func(i int, token string) string {
		if i > 0 {
			return " " + token
		}
		return token
	})
}

// fuse joins all tokens into one.
func fuse(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// decodeMetaspace puts spaces back; the first token's are dropped where encoding began with one of its own.
func decodeMetaspace(replacement rune, scheme string) decoder {
	return each(func(i int, token string) string {
		with := " "
		if i == 0 && scheme != "never" {
			with = ""
		}
		return strings.ReplaceAll(token, string(replacement), with)
	})
}

// stripEnds removes up to so many characters r from the start and the end of each token.
func stripEnds(r rune, start, stop int) decoder {
	return each(func(_ int, token string) string {
		for i := 0; i < start && strings.HasPrefix(token, string(r)); i++ {
			token = token[utf8.RuneLen(r):]
		}
		for i := 0; i < stop && strings.HasSuffix(token, string(r)); i++ {
			token = token[:len(token)-utf8.RuneLen(r)]
		}
		return token
	})
}

// decodeBytes turns runs of byte tokens <0x0A> into text. A run that is no UTF-8 becomes one U+FFFD per byte.
func decodeBytes(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if b, ok := byteToken(t); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// byteToken reads the name of a byte token.
func byteToken(name string) (byte, bool) {
	if len(name) != 6 || !strings.HasPrefix(name, "<0x") || name[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(name[3:5], 16, 8)
	return byte(b), err == nil
}

// parseDecoder reads a decoder of tokenizer.json.
func parseDecoder(kind string, o object) (decoder, error) {
	switch kind {
	case "Sequence":
		steps, err := components(o, "decoders", parseDecoder)
		return decoders(steps), err
	case "ByteLevel":
		return decodeFunc(decodeByteLevel), o.only("add_prefix_space", "trim_offsets", "use_regex")
	case "ByteFallback":
		return decodeFunc(decodeBytes), o.only()
	case "Fuse":
		return decodeFunc(fuse), o.only()
	case "Metaspace":
		f, err := readMetaspace(o)
		return decodeMetaspace(rune(f.Replacement), f.Scheme), err
	case "Strip":
		f, err := read(o, struct {
			Content character `json:"content"`
			Start   int       `json:"start"`
			Stop    int       `json:"stop"`
		}{})
		return stripEnds(rune(f.Content), f.Start, f.Stop), err
	case "Replace":
		r, err := read(o, replacer{})
		return each(func(_ int, token string) string {
			out, _ := r.normalize(piece{text: token}) // which never fails
			return out.text
		}), err
	}
	return nil, o.unsupported("type", "decoder %q", kind)
}
