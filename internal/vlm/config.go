package vlm

import (
	"encoding/json"
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// TextConfig reads the language model's part of a composite config.json: its
// text_config, and the tie_word_embeddings beside it, either of which may be
// missing. standard is the model_type of a text_config that names none, "" where
// it has to. supported are those that the composite model knows; without any, all
// that package decoder knows.
func TextConfig(text, tied json.RawMessage, standard string, supported ...string) (decoder.Config, error) {
	data, err := composite(text, tied, standard, supported)
	if err != nil {
		return decoder.Config{}, hf.Within("text_config", err)
	}
	c, err := decoder.ParseConfig(data)
	return c, hf.Within("text_config", err)
}

// composite writes what decoder.ParseConfig reads.
func composite(text, tied json.RawMessage, standard string, supported []string) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if !hf.Null(text) {
		if err := json.Unmarshal(text, &fields); err != nil {
			return nil, fmt.Errorf("%w: %w", hf.ErrConfig, err)
		}
	}
	kind := standard
	if named, ok := fields["model_type"]; ok {
		if err := json.Unmarshal(named, &kind); err != nil {
			return nil, fmt.Errorf("%w: model_type: %w", hf.ErrConfig, err)
		}
	}
	if len(supported) > 0 {
		if err := hf.Require("model_type", kind, supported...); err != nil {
			return nil, err
		}
	}
	name, err := json.Marshal(kind)
	if err != nil {
		return nil, err
	}
	fields["model_type"] = name
	outer := map[string]any{"text_config": fields}
	if tied != nil {
		outer["tie_word_embeddings"] = tied
	}
	return json.Marshal(outer)
}
