package hf

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestReadChatTemplate(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const jinja, own, tokens = "chat_template.jinja", "chat_template.json", "tokenizer_config.json"
	files := fstest.MapFS{
		jinja: file("{# newest #}\n"), own: file(`{"chat_template": "older"}`), tokens: file(`{"chat_template": "oldest", "model_max_length": 3}`),
	}
	for _, want := range [][2]string{{"{# newest #}\n", jinja}, {"older", own}, {"oldest", tokens}, {"", ""}} {
		template, name, err := ReadChatTemplate(files)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{template, name})
		delete(files, name)
	}
	for text, want := range map[string]string{
		`{"chat_template": [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]}`: "b",
		`{"chat_template": [{"name": "tool_use", "template": "a"}]}`:                                       "",
		`{"chat_template": null}`: "",
		`{}`:                      "",
	} {
		template, _, err := ReadChatTemplate(fstest.MapFS{tokens: file(text)})
		require.NoError(t, err, text)
		require.Equal(t, want, template, text)
	}
	for name, text := range map[string]string{
		own: `{"chat_template": 3}`, tokens: `{`, jinja: "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
	} {
		_, _, err := ReadChatTemplate(fstest.MapFS{name: file(text)})
		require.ErrorContains(t, err, name)
	}
}
