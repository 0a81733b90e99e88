package hf

import (
	"encoding/json"
	"errors"
	"io/fs"
)

// ReadChatTemplate returns the chat template of a folder, in Jinja, and the name of the
// file that has it; both are "" where the folder has none. Version 5 of transformers
// writes chat_template.jinja, version 4 a field of chat_template.json or of
// tokenizer_config.json, where several may have names, of which "default" counts.
func ReadChatTemplate(fsys fs.FS) (template, file string, err error) {
	const newest = "chat_template.jinja"
	if f, err := fsys.Open(newest); err == nil {
		defer f.Close()
		data, err := readText(f)
		return string(data), newest, Within(newest, err)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", newest, err
	}
	for _, file := range []string{"chat_template.json", "tokenizer_config.json"} {
		var fields map[string]json.RawMessage
		if err := ReadConfig(fsys, file, &fields); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", file, err
		}
		raw := fields["chat_template"]
		if Null(raw) {
			continue
		}
		var named []struct{ Name, Template string }
		if json.Unmarshal(raw, &named) == nil {
			for _, t := range named {
				if t.Name == "default" {
					return t.Template, file, nil
				}
			}
			continue
		}
		if err := json.Unmarshal(raw, &template); err != nil {
			return "", file, Within(file, Errorf("chat_template: %w", err))
		}
		return template, file, nil
	}
	return "", "", nil
}
