package remote

import (
	"encoding/json"
	"strings"

	"github.com/openai/openai-go/v3"
)

// part is one of a message's content.
type part struct {
	Type, Text, Refusal string
}

// content returns what a message says, and its refusal. The protocol has one text;
// servers that list parts mean the texts among them, which are one text cut to
// pieces. Thoughts are parts of another type.
func content(m openai.ChatCompletionMessage) (text, refusal string) {
	text, refusal = m.Content, m.Refusal
	raw := []byte(m.JSON.Content.Raw())
	if m.JSON.Content.Valid() || len(raw) == 0 {
		return text, refusal
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		parts = []json.RawMessage{raw} // one part that is in no list
	}
	var said strings.Builder
	for _, raw := range parts {
		var p part
		if json.Unmarshal(raw, &p.Text) != nil && json.Unmarshal(raw, &p) != nil {
			continue // of no kind that holds text
		}
		switch p.Type {
		case "", "text", "output_text":
			said.WriteString(p.Text)
		case "refusal":
			refusal += p.Refusal
		}
	}
	return said.String(), refusal
}
