package decoder

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// family is a family of language models: the fields of its configuration, which
// hold what transformers fills in until they are read.
type family interface {
	config() (Config, error) // says what the fields mean
	shared() *common
}

// families are the language models that are known, by their model_type.
var families = map[string]func() family{
	"llama":           newLlama,
	"mistral":         newMistral,
	"ministral3":      newMinistral3,
	"qwen2_5_vl":      newQwen2, // the whole model's, which version 4 of transformers gave its language model too
	"qwen2_5_vl_text": newQwen2,
	"qwen3":           newQwen3,
	"qwen3_vl_text":   newQwen3VL,
	"qwen3_5_text":    newQwen35,
	"gemma2":          newGemma2,
	"gemma3_text":     newGemma3,
}

// textTypes are the language models of composite models that need not name them.
var textTypes = map[string]string{
	"llava": "llama", "idefics2": "mistral", "gemma3": "gemma3_text", "qwen2_5_vl": "qwen2_5_vl_text",
	"qwen3_vl": "qwen3_vl_text", "qwen3_5": "qwen3_5_text", "mistral3": "mistral", "smolvlm": "llama", "idefics3": "llama",
}

// ParseConfig reads a language model's configuration from a config.json of
// transformers, of versions 4 and 5: either the model's own or one that holds it
// under text_config. Fields left out have transformers' defaults.
//
// others are fields beside the language model's that the caller reads itself,
// such as vision_config. Any other field that is not known to change nothing is
// an error that names it, as is a value that we don't support; both wrap
// hf.ErrConfig.
func ParseConfig(data []byte, others ...string) (Config, error) {
	f, err := parse(data, others)
	if err != nil {
		return Config{}, err
	}
	c, err := f.config()
	if err == nil {
		err = c.check()
	}
	if err = errors.Join(err, f.shared().Check()); err != nil {
		return Config{}, err
	}
	return c, nil
}

// parse reads the fields of the model's family.
func parse(data []byte, others []string) (family, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	var around outer
	if err := json.Unmarshal(data, &around); err != nil {
		return nil, hf.Errorf("%w", err)
	}
	beside, nested := without(all, others), !hf.Null(all["text_config"])
	text := beside
	if nested {
		text = nil
		if err := json.Unmarshal(all["text_config"], &text); err != nil {
			return nil, hf.Errorf("text_config: %w", err)
		}
	}
	newFamily, err := familyOf(text, around)
	if err != nil {
		return nil, err
	}
	f := newFamily()
	err = hf.DecodeFields(text, f)
	if err == nil && nested { // some versions repeat the language model's fields here, and read those of text_config
		err = hf.DecodeFields(beside, newFamily())
	}
	if err != nil {
		return nil, hf.Errorf("%w", err)
	}
	f.shared().outer = around
	return f, nil
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

// familyOf finds the family by the language model's own model_type, or by that of
// the object around it.
func familyOf(text map[string]json.RawMessage, around outer) (func() family, error) {
	modelType := textTypes[around.ModelType]
	if own, ok := text["model_type"]; ok {
		if err := json.Unmarshal(own, &modelType); err != nil {
			return nil, hf.Errorf("model_type: %w", err)
		}
	}
	err := hf.Require("model_type", modelType, slices.Sorted(maps.Keys(families))...)
	return families[modelType], err
}
