package tokenizer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// exercise encodes and decodes a short text. Whatever the tokenizer, nothing may panic and ids are tokens' ids.
func exercise(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	if len(text) > 200 {
		return
	}
	ids, err := tok.Encode(text)
	if err != nil {
		assert.True(t, errors.Is(err, ErrText) || errors.Is(err, ErrUnknownWord), "%v", err)
		return
	}
	assert.True(t, utf8.ValidString(text))
	for _, id := range ids[len(tok.post.before) : len(ids)-len(tok.post.after)] {
		_, ok := tok.Token(id)
		assert.True(t, ok, "id %d of %q", id, text)
	}
	assert.True(t, utf8.ValidString(tok.Decode(ids)))
	_, err = tok.EncodeParts(Part{Text: text, Literal: true})
	require.NoError(t, err)
}

// checkOpen opens hostile files; errors must be of this package's kinds.
func checkOpen(t *testing.T, files fstest.MapFS, text string) {
	t.Helper()
	tok, err := Open(files, ".")
	if err != nil {
		assert.True(t, errors.Is(err, ErrFormat) || errors.Is(err, ErrUnsupported), "%v", err)
		return
	}
	exercise(t, tok, text)
}

func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(pocket), "is a red horse?")
	var pipelines []struct{ Tokenizer json.RawMessage }
	raw, err := os.ReadFile(filepath.Join(testdata, "tokenizer", "pipelines.json"))
	require.NoError(f, err)
	require.NoError(f, json.Unmarshal(raw, &pipelines))
	for _, p := range pipelines {
		var spec struct {
			Model struct{ Type string }
		}
		require.NoError(f, json.Unmarshal(p.Tokenizer, &spec))
		if spec.Model.Type == "Unigram" { // the small ones
			f.Add([]byte(p.Tokenizer), "It's the\n <s>ab c")
		}
	}
	f.Add([]byte(`{"model":{"vocab":{"a":0,"b</w>":1,"ab</w>":2,"<0x00>":3},"merges":["#version","a b</w>"],"end_of_word_suffix":"</w>","unk_token":"a",`+
		`"byte_fallback":true},"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAAA"},"post_processor":{"type":"TemplateProcessing",`+
		`"single":[{"SpecialToken":{"id":"a","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"a":{"id":"a","ids":[0],"tokens":["a"]}}}}`), "ab")
	f.Add([]byte(`{"model":{"vocab":{"Ġ":0,"a":1,"Ġa":2},"merges":[["Ġ","a"]]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":`+
		`{"Regex":"\\p{L}++|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":true}]},"decoder":{"type":"Sequence",`+
		`"decoders":[{"type":"Replace","pattern":{"String":"a"},"content":"b"},{"type":"Strip","content":" ","start":1,"stop":1}]},"post_processor":`+
		`{"type":"BertProcessing","cls":["a",1],"sep":["Ġ",0]},"added_tokens":[{"id":3,"content":"<s>","single_word":true,"lstrip":true,"rstrip":true,`+
		`"normalized":true,"special":true}]}`), "a  <s> aa")
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		checkOpen(t, fstest.MapFS{"tokenizer.json": {Data: file}}, text)
	})
}

func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"llava/tokenizer.model", "gemma3/tokenizer.model"} {
		raw, err := os.ReadFile(filepath.Join(testdata, "tokenizer", filepath.FromSlash(name)))
		require.NoError(f, err)
		f.Add(raw, []byte(`{}`), "It's the\n <s>ab c")
	}
	piece := "\n\x08\n\x01a\x15\x00\x00\x80\xbf"
	f.Add([]byte("\n\x09\n\x05<unk>\x18\x02"+piece+"\x12\x02\x18\x01"), []byte(`{"tokenizer_class": "T5Tokenizer", "extra_ids": 2}`), "a b")
	f.Add([]byte("\n\x09\n\x05<unk>\x18\x02"+piece+"\x12\x02\x18\x02\x1a\x06\x12\x04\x04\x00\x00\x00"), []byte(`{"added_tokens_decoder": {"1": {"content": "a"}}}`), "a b")
	f.Fuzz(func(t *testing.T, model, config []byte, text string) {
		checkOpen(t, fstest.MapFS{"spiece.model": {Data: model}, "tokenizer_config.json": {Data: config}}, text)
	})
}

func FuzzMerges(f *testing.F) {
	f.Add([]byte(`{"a":0,"b</w>":1,"ab</w>":2,"<|startoftext|>":3,"<|endoftext|>":4}`), []byte("#version: 0.2\na b</w>\n"),
		[]byte(`{"tokenizer_class":"CLIPTokenizer","bos_token":{"content":"<|startoftext|>","normalized":true}}`), "AB ab<|endoftext|>")
	f.Add([]byte(`{"a":0,"b":1,"ab":2}`), []byte("a b\n"), []byte(`{"tokenizer_class":"Qwen2TokenizerFast","added_tokens_decoder":{"3":{"content":"<x>","special":true}}}`), "ab <x>'ſ")
	f.Fuzz(func(t *testing.T, vocab, merges, config []byte, text string) {
		checkOpen(t, fstest.MapFS{"vocab.json": {Data: vocab}, "merges.txt": {Data: merges}, "tokenizer_config.json": {Data: config}}, text)
	})
}

func FuzzCharacterMap(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x00\x04\x00\x00\x01\x02\x03\x04a\x00"), "e\u0301\r\n")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		m, err := newCharacterMap(raw)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		if out, err := m.normalize(piece{text: text}); err == nil {
			assert.True(t, utf8.ValidString(out.text))
		} else {
			assert.ErrorIs(t, err, ErrText)
		}
	})
}

// openAll opens the tokenizers of the project's models.
func openAll(t testing.TB) map[string]*Tokenizer {
	t.Helper()
	all := map[string]*Tokenizer{}
	for _, name := range []string{"t5", "clip", "gemma2", "gemma3", "qwen2_5_vl", "pixtral", "llava", "idefics2"} {
		tok, err := Open(os.DirFS(filepath.Join(testdata, "tokenizer")), name)
		require.NoError(t, err)
		all[name] = tok
	}
	return all
}

func FuzzEncode(f *testing.F) {
	all := openAll(f)
	for _, s := range []string{"", "It's <|im_end|> 12\r\n\n x ", "e\u0301\u200d👩🏽", "<image><s></s>[INST]<bos>\n\n\n", "\ufeff▁▁ ﬁ½İ\x00", "日本語 العربية"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, tok := range all {
			exercise(t, tok, text)
			if !utf8.ValidString(text) || len(text) > 200 || name != "qwen2_5_vl" && name != "pixtral" {
				continue
			}
			// Byte-level tokenizers lose nothing.
			ids, err := tok.EncodeParts(Part{Text: text, Literal: true})
			require.NoError(t, err)
			want := text
			if name == "qwen2_5_vl" {
				want = normalize(norm.NFC, text)
			}
			assert.Equal(t, want, tok.Decode(ids))
		}
	})
}

// TestLongTexts would take minutes, not seconds, if any step were quadratic.
func TestLongTexts(t *testing.T) {
	const size = 1 << 15
	all := openAll(t)
	for _, unit := range []string{"a", "A", " ", "\n", "日", "\u0301", "aaab", "!", "<", "<|im_end|>", "[INST", "▁", "\u200d👩"} {
		text := strings.Repeat(unit, size/len(unit))
		for name, tok := range all {
			_, err := tok.Encode(text)
			assert.NoError(t, err, "%s on %q", name, unit)
		}
	}
}
