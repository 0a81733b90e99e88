package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
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
	assert.Equal(t, []string{"<pad>", "<s>"}, tok.Special())
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
