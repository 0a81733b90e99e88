package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pocket is a tokenizer of the kind that the pocket models carry: a closed vocabulary of words.
const pocket = `{
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [
    {"id": 0, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
  ],
  "normalizer": {"type": "Lowercase"},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}]},
  "post_processor": null, "decoder": null,
  "model": {"type": "WordLevel", "vocab": {"<pad>": 0, "<s>": 1, "a": 2, "red": 3, "horse": 4, "house": 5, ".": 6, "is": 7, "?": 8}}
}`

// parse opens a tokenizer.json that is a string.
func parse(t testing.TB, json string) *Tokenizer {
	t.Helper()
	tok, err := Open(fstest.MapFS{"m/tokenizer.json": {Data: []byte(json)}}, "m")
	require.NoError(t, err)
	return tok
}

func TestWordLevel(t *testing.T) {
	tok := parse(t, pocket)
	ids, err := tok.Encode("  Is a RED\thorse?<s>\u00a0house. ")
	require.NoError(t, err)
	assert.Equal(t, []int{7, 2, 3, 4, 8, 1, 5, 6}, ids)
	assert.Equal(t, "is a red horse ? house .", tok.Decode(ids))
	assert.Equal(t, 9, tok.Size())
	id, ok := tok.ID("horse")
	assert.True(t, ok)
	assert.Equal(t, 4, id)
	_, ok = tok.ID("Horse")
	assert.False(t, ok)
}

func TestUnknownWords(t *testing.T) {
	tok := parse(t, pocket)
	_, err := tok.Encode("a rde zebra, a horze.")
	require.ErrorIs(t, err, ErrUnknownWord)
	var unknown *UnknownWordError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, []UnknownWord{
		{"rde", []string{"red"}}, {"zebra", nil}, {",", nil}, {"horze", []string{"horse", "house"}},
	}, unknown.Words)
	assert.Equal(t, `tokenizer: unknown word: "rde" (nearest: red); "zebra"; ","; "horze" (nearest: horse, house)`, err.Error())
}

func TestLiteralText(t *testing.T) {
	tok := parse(t, pocket)
	_, err := tok.EncodeParts(Part{Text: "a "}, Part{Text: "<s>", Literal: true})
	require.ErrorIs(t, err, ErrUnknownWord)
	ids, err := tok.EncodeParts(Part{Text: "a", Literal: true}, Part{Text: "<s> red"})
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1, 3}, ids)
}

func TestInvalidUTF8(t *testing.T) {
	_, err := parse(t, pocket).Encode("a \xff")
	require.ErrorIs(t, err, ErrText)
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(fstest.MapFS{}, "m")
	require.ErrorIs(t, err, fs.ErrNotExist)

	model := `{"type": "WordLevel", "vocab": {"a": 0}}`
	cases := []struct {
		json string
		want error
		says string
	}{
		{``, ErrFormat, "not JSON"},
		{`[]`, ErrFormat, "not a JSON object"},
		{`{}`, ErrFormat, "model: malformed tokenizer file: missing"},
		{`{"model": ` + model, ErrFormat, ""},
		{`{"model": ` + model + `, "model": ` + model + `}`, ErrFormat, "model: malformed tokenizer file: given twice"},
		{`{"model": ` + model + `, "modle": 1}`, ErrUnsupported, "modle: unsupported tokenizer component: this field is not known"},
		{`{"model": {"type": "WordPiece"}}`, ErrUnsupported, `model.type: unsupported tokenizer component: model "WordPiece"`},
		{`{"model": {"type": "WordLevel", "vocab": {"a": "b"}}}`, ErrFormat, "model.vocab"},
		{`{"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 0}}}`, ErrFormat, "share id 0"},
		{`{"model": {"type": "WordLevel", "vocab": {"a": 2000000000}}}`, ErrFormat, "outside 0 to"},
		{`{"model": {"type": "WordLevel", "vocab": {"a": -1}}}`, ErrFormat, "outside 0 to"},
		{`{"model": {"type": "WordLevel", "vocab": {"a": 0}, "dropout": 1}}`, ErrUnsupported, "model.dropout"},
		{`{"model": ` + model + `, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "Rot13"}]}}`,
			ErrUnsupported, `normalizer.normalizers[1].type: unsupported tokenizer component: normalizer "Rot13"`},
		{`{"model": ` + model + `, "pre_tokenizer": {"type": "Punctuation", "behavior": "Sideways"}}`, ErrUnsupported, "pre_tokenizer.behavior"},
		{`{"model": ` + model + `} {}`, ErrFormat, "not JSON"},
		{`{"model": null}`, ErrFormat, "model: malformed tokenizer file: not a JSON object"},
		{`{"model": {"type": "WordLevel"}}`, ErrFormat, "model.vocab: malformed tokenizer file: missing"},
		{`{"model": {"type": "WordLevel", "type": "BPE"}}`, ErrFormat, "model.type: malformed tokenizer file: given twice"},
		{`{"model": {"type": "WordLevel", "vocab": {"a": null}}}`, ErrFormat, "has no id"},
		{`{"model": {"type": "WordLevel", "vocab": {"a": 0.5}}}`, ErrFormat, "not an object of tokens and ids"},
		{`{"model": {"vocab": {"a": 0}, "merges": ["a b c"]}}`, ErrFormat, "model.merges: malformed tokenizer file: merge 0 is not a pair"},
		{`{"model": {"vocab": {"a": 0}, "merges": [["a", "a", "a"]]}}`, ErrFormat, "model.merges: malformed tokenizer file: merge 0 is not a pair"},
		{`{"model": {"vocab": {"a": 0}, "merges": [["a", "a"]]}}`, ErrFormat, "not in the vocabulary"},
		{`{"model": {"vocab": {"a": 0}, "merges": [["a", 0]]}}`, ErrFormat, "model.merges: malformed"},
		{`{"model": {"vocab": {"a": 0}, "merges": [], "unk_token": "b"}}`, ErrFormat, `model.unk_token: malformed tokenizer file: "b" is not`},
		{`{"model": {"vocab": {"a": 0}, "merges": [], "dropout": 0.1}}`, ErrUnsupported, "model.dropout"},
		{`{"model": {"type": "Unigram", "vocab": [["a", 0], ["b", null]]}}`, ErrFormat, "model.vocab: malformed tokenizer file: item 1 is not a pair"},
		{`{"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 1}}`, ErrFormat, "unknown token's id 1"},
		{`{"model": ` + model + `, "version": "2.0"}`, ErrUnsupported, "version"},
		{`{"model": ` + model + `, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "^a"}, "behavior": "Removed", "invert": false}}`,
			ErrUnsupported, `pre_tokenizer.pattern: unsupported tokenizer component: regular expression "^a"`},
		{`{"model": ` + model + `, "pre_tokenizer": {"type": "Split", "pattern": {}, "behavior": "Removed", "invert": false}}`,
			ErrFormat, `pre_tokenizer.pattern: malformed tokenizer file: neither a String nor a Regex`},
		{`{"model": ` + model + `, "pre_tokenizer": {"type": "Metaspace", "replacement": "__"}}`, ErrFormat, "pre_tokenizer.replacement"},
		{`{"model": ` + model + `, "decoder": {"type": "ByteFallback", "trim": 1}}`, ErrUnsupported, "decoder.trim: unsupported tokenizer component: this field is not known"},
		{`{"model": ` + model + `, "post_processor": {"type": "TemplateProcessing", "single": [], "special_tokens": {"a": {"Ids": []}, "b": {"x": 1}}}}`,
			ErrFormat, `post_processor.special_tokens: malformed tokenizer file: unknown field "x"`},
		{`{"model": ` + model + `, "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "b"}}], "special_tokens": {}}}`,
			ErrFormat, `post_processor.single: malformed tokenizer file: "b" has no ids`},
		{`{"model": ` + model + `, "post_processor": {"type": "BertProcessing", "cls": ["a"], "sep": ["b", 0]}}`, ErrFormat, "post_processor.cls"},
		{`{"model": ` + model + `, "added_tokens": [{"id": 0}]}`, ErrFormat, "added_tokens[0].content: malformed tokenizer file: missing"},
		{"{\"\xff\": 1}", ErrFormat, "not UTF-8"},
	}
	for _, c := range cases {
		_, err := Open(fstest.MapFS{"m/tokenizer.json": {Data: []byte(c.json)}}, "m")
		if assert.Error(t, err, c.json) {
			assert.ErrorIs(t, err, c.want, c.json)
			assert.ErrorContains(t, err, "m/tokenizer.json")
			assert.ErrorContains(t, err, c.says)
		}
	}
}

// TestBombs opens small files that would take much memory or time if they were believed.
func TestBombs(t *testing.T) {
	const model = `"model": {"type": "WordLevel", "vocab": {"a": 0}}`
	nested := strings.Repeat(`{"type": "Sequence", "normalizers": [`, 100) + strings.Repeat(`]}`, 100)
	steps := strings.TrimSuffix(strings.Repeat(`{"type": "NFC"},`, 101), ",")
	for says, json := range map[string]string{
		"nested deeper":         `{"normalizer": ` + nested + `, ` + model + `}`,
		"more than 100 compon":  `{"normalizer": {"type": "Sequence", "normalizers": [` + steps + `]}, ` + model + `}`,
		"longer than 64 bytes":  `{"normalizer": {"type": "Prepend", "prepend": "` + strings.Repeat("x", 65) + `"}, ` + model + `}`,
		"longer than 1024":      `{"model": {"type": "WordLevel", "vocab": {"` + strings.Repeat("x", 1025) + `": 0}}}`,
		"at most 1000 fields":   `{` + fields(1001) + `, ` + model + `}`,
		"not a list of at most": `{"added_tokens": [` + strings.Repeat(`{},`, maxList) + `{}], ` + model + `}`,
		"not JSON":              `{"padding": ` + strings.Repeat(`[`, 1<<20),
	} {
		_, err := Open(fstest.MapFS{"tokenizer.json": {Data: []byte(json)}}, ".")
		if assert.ErrorIs(t, err, ErrFormat) {
			assert.ErrorContains(t, err, says)
		}
	}

	double := strings.TrimSuffix(strings.Repeat(`{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"},`, 20), ",")
	tok := parse(t, `{"normalizer": {"type": "Sequence", "normalizers": [`+double+`]}, `+model+`}`)
	_, err := tok.Encode("a")
	require.ErrorIs(t, err, ErrText)

	slow := parse(t, `{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(?:a|a|b)+c"}, "behavior": "Isolated", "invert": false}, `+model+`}`)
	_, err = slow.Encode(strings.Repeat("a", 1<<16)) // an engine that backtracks would not come back
	require.ErrorIs(t, err, ErrUnknownWord)

	_, err = parse(t, `{`+model+`}`).Encode(strings.Repeat("b ", 1<<20))
	require.ErrorIs(t, err, ErrUnknownWord)
}

// fields is so many fields of a JSON object.
func fields(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`"f%d": 0`, i))
	}
	return strings.Join(parts, ",")
}

func TestAddedTokens(t *testing.T) {
	token := func(id int, content, flags string) string {
		all := `"single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false`
		for _, flag := range strings.Fields(flags) {
			all = strings.Replace(all, `"`+flag+`": false`, `"`+flag+`": true`, 1)
		}
		return fmt.Sprintf(`{"id": %d, "content": %q, %s}`, id, content, all)
	}
	open := func(tokens ...string) (*Tokenizer, error) {
		json := `{"normalizer": {"type": "Lowercase"}, "added_tokens": [` + strings.Join(tokens, ",") + `],
			"model": {"type": "WordLevel", "vocab": {"?": 0, "a": 1, " ": 2, "a ": 3, " a": 4, "xab": 5}, "unk_token": "?"}}`
		return Open(fstest.MapFS{"tokenizer.json": {Data: []byte(json)}}, ".")
	}
	tok, err := open(token(10, "<l>", "lstrip"), token(11, "<r>", "rstrip special"), token(12, "AB", "normalized single_word"), token(13, "<", ""), token(14, "<<l>", ""))
	require.NoError(t, err)
	for text, want := range map[string][]int{
		"a <l> a": {1, 10, 4}, "a <r> a": {3, 11, 1}, "xab": {5}, "Ab": {12}, "<l": {13, 0}, "<<l>": {14}, "<r> \t<l>": {11, 10}, "<<<l>": {13, 14},
	} {
		got, err := tok.Encode(strings.ReplaceAll(text, `\t`, "\t"))
		require.NoError(t, err)
		assert.Equal(t, want, got, "%q", text)
	}
	// What a user typed must not end where a control token begins, nor begin where it ends.
	got, err := tok.EncodeParts(Part{Text: "<", Literal: true}, Part{Text: "r>a<r>", Literal: false}, Part{Text: "<r>", Literal: true})
	require.NoError(t, err)
	assert.Equal(t, []int{0, 11, 0}, got)

	for says, tokens := range map[string][]string{
		"share id 10":          {token(10, "x", ""), token(10, "y", "")},
		"contradicts":          {token(1, "x", "")},
		"can't be told apart":  {token(10, "AB", "normalized"), token(11, "ab", "normalized")},
		"its id -1 is out of":  {token(-1, "x", "")},
		"id 2097152 is out of": {token(1<<21, "x", "")},
	} {
		_, err := open(tokens...)
		if assert.ErrorIs(t, err, ErrFormat) {
			assert.ErrorContains(t, err, says)
		}
	}
}

func ExampleOpen() {
	folder := fstest.MapFS{"model/tokenizer.json": {Data: []byte(pocket)}}
	tok, err := Open(folder, "model")
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, err := tok.Encode("Is a horse red?")
	fmt.Println(ids, err)
	_, err = tok.Encode("Is a unicorn red?")
	fmt.Println(errors.Is(err, ErrUnknownWord), err)
	// Output:
	// [7 2 4 3 8] <nil>
	// true tokenizer: unknown word: "unicorn"
}

func ExampleTokenizer_EncodeParts() {
	folder := fstest.MapFS{"tokenizer.json": {Data: []byte(`{
	  "added_tokens": [{"id": 0, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
	  "pre_tokenizer": {"type": "Whitespace"},
	  "model": {"type": "WordLevel", "vocab": {"<": 1, "end": 2, ">": 3, "is": 4, "this": 5, "?": 6}}}`)}}
	tok, err := Open(folder, ".")
	if err != nil {
		fmt.Println(err)
		return
	}
	// A question from outside, and the token that ends the turn behind it.
	ids, err := tok.EncodeParts(Part{Text: "is this <end> ?", Literal: true}, Part{Text: "<end>"})
	fmt.Println(ids, err)
	// Output:
	// [4 5 1 2 3 6 0] <nil>
}
