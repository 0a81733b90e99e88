package decoder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// ParseConfig reads a language model's configuration from a config.json of
// transformers, of versions 4 and 5: either the model's own or one that holds it
// under text_config. Fields left out have transformers' defaults.
//
// others are fields beside the language model's that the caller reads itself,
// such as vision_config. Any other field that is not known to change nothing is
// an error that names it, as is a value that we don't support; both wrap
// hf.ErrConfig.
func ParseConfig(data []byte, others ...string) (Config, error) {
	c, err := parse(data, others)
	if err != nil {
		return Config{}, fmt.Errorf("decoder: %w", err)
	}
	return c, nil
}

func parse(data []byte, others []string) (Config, error) {
	var outer map[string]json.RawMessage
	if err := json.Unmarshal(data, &outer); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	text := outer
	if nested, ok := outer["text_config"]; ok && !null(nested) {
		text = nil
		if err := json.Unmarshal(nested, &text); err != nil {
			return Config{}, fmt.Errorf("%w: text_config: %w", hf.ErrConfig, err)
		}
		if err := checkOuter(outer, others); err != nil {
			return Config{}, err
		}
	} else {
		text = without(outer, others)
	}
	around, err := decodeAround(outer)
	if err != nil {
		return Config{}, err
	}
	f, err := decodeFields(text, around.ModelType)
	if err != nil {
		return Config{}, err
	}
	if err := f.tie(around); err != nil {
		return Config{}, err
	}
	c, err := f.config()
	return c, errors.Join(err, f.Check())
}

// checkOuter refuses fields around text_config that nobody reads. Some versions
// repeat the language model's fields there, and read them under text_config.
func checkOuter(outer map[string]json.RawMessage, others []string) error {
	return strict(without(outer, others), new(fields))
}

// without returns an object's fields but for text_config and others.
func without(object map[string]json.RawMessage, others []string) map[string]json.RawMessage {
	rest := maps.Clone(object)
	delete(rest, "text_config")
	for _, name := range others {
		delete(rest, name)
	}
	return rest
}

// around is what the object that holds text_config has to say about it.
type around struct {
	ModelType string `json:"model_type"`
	Tied      *bool  `json:"tie_word_embeddings"`
}

func decodeAround(outer map[string]json.RawMessage) (a around, err error) {
	for name, to := range map[string]any{"model_type": &a.ModelType, "tie_word_embeddings": &a.Tied} {
		if value, ok := outer[name]; ok {
			if err := json.Unmarshal(value, to); err != nil {
				return a, fmt.Errorf("%w: %s: %w", hf.ErrConfig, name, err)
			}
		}
	}
	return a, nil
}

// textTypes are the language models of composite models that need not name them.
var textTypes = map[string]string{
	"llava": "llama", "idefics2": "mistral", "gemma3": "gemma3_text", "qwen2_5_vl": "qwen2_5_vl_text",
}

// decodeFields reads a language model's fields over the defaults of its kind,
// which the object around it implies if they do not say it.
func decodeFields(text map[string]json.RawMessage, around string) (*fields, error) {
	kind := textTypes[around]
	if value, ok := text["model_type"]; ok {
		if err := json.Unmarshal(value, &kind); err != nil {
			return nil, fmt.Errorf("%w: model_type: %w", hf.ErrConfig, err)
		}
	}
	f, err := defaults(kind)
	if err != nil {
		return nil, err
	}
	for name, kinds := range onlyOf {
		if value, ok := text[name]; ok && !null(value) && !slices.Contains(kinds, f.kind) {
			return nil, bad("%s is given, which %s does not have", name, kind)
		}
	}
	return f, strict(text, f)
}

// strict decodes an object and refuses fields that v does not have.
func strict(object map[string]json.RawMessage, v any) error {
	data, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := hf.Decode(data, v); err != nil {
		return fmt.Errorf("%w: %w", hf.ErrConfig, err)
	}
	return nil
}

func null(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }

// tie decides whether the head is tied. Versions of transformers differ in which
// of two fields they follow where there is an object around text_config.
func (f *fields) tie(a around) error {
	standard := f.kind == gemma2 || f.kind == gemma3
	switch {
	case a.ModelType == "idefics2":
		f.Tied, standard = a.Tied, false
	case f.Tied == nil:
		f.Tied = a.Tied
	case a.Tied == nil || *a.Tied == *f.Tied:
	case f.kind == gemma3 || !*f.Tied:
		return bad("tie_word_embeddings is %v, under text_config %v", *a.Tied, *f.Tied)
	}
	if f.Tied == nil {
		f.Tied = &standard
	}
	return nil
}
