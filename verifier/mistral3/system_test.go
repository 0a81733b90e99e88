package mistral3

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// TestReadSystem has the forms of the published templates.
func TestReadSystem(t *testing.T) {
	for template, want := range map[string]string{
		"{%- set default_system_message = 'You are it.\\n\\nWhen you\\'re not sure, # \"A\" {today}' %}\n{{- bos_token }}":                                                       "You are it.\n\nWhen you're not sure, # \"A\" {today}",
		"{%- set today = strftime_now(\"%Y-%m-%d\") %}\n{%- set default_system_message = \"The date is \" + today + \".\\n\\nYou're (e.g. \\\"What?\\\" => \\\"Where?\\\")\" %}": "The date is {today}.\n\nYou're (e.g. \"What?\" => \"Where?\")",
		"{%- set default_system_message = '' %}{{- '<s>' }}":          "",
		"{% set default_system_message = 'a\nb' -%}":                  "a\nb",
		"{% set default_system_message = 'Quatre \\u00e9t\u00e9s' %}": "Quatre étés",
		"{{- bos_token }}[INST]":                                      "",
	} {
		message, err := readSystem(fstest.MapFS{"chat_template.jinja": {Data: []byte(template)}})
		require.NoError(t, err, template)
		require.Equal(t, want, message)
	}
	message, err := readSystem(fstest.MapFS{})
	require.NoError(t, err)
	require.Empty(t, message)
	for _, expression := range []string{"", "'", "'a", "'a' %", "'a' ~ b %}", "f('a') %}", "'a' if b else 'c' %}", `'a\q' %}`, "3 %}", "'a' + %}", `'\`} {
		_, err := readSystem(fstest.MapFS{"chat_template.jinja": {Data: []byte("{% " + assignment + expression)}})
		require.ErrorIs(t, err, hf.ErrConfig, expression)
		require.ErrorContains(t, err, "chat_template.jinja")
		require.ErrorContains(t, err, "default_system_message")
	}
}

// FuzzEvaluate: whatever comes, the value is no longer than what it was made of, but for
// braces.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{`'a\n' + today + "b" %}`, `'\u00e9\'' -%}`, `"`, `a+b`, "'\xff' %}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		value, ok := evaluate(expression)
		if !ok {
			require.Empty(t, value)
			return
		}
		require.LessOrEqual(t, len(value), 3*len(expression))
		require.True(t, strings.Contains(expression, "%}"))
	})
}
