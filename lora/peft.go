package lora

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
)

// peftConfig is the part of PEFT's LoraConfig that says how much an adapter does.
type peftConfig struct {
	R            *float64 `json:"r"`
	Alpha        *float64 `json:"lora_alpha"`
	RankPattern  patterns `json:"rank_pattern"`
	AlphaPattern patterns `json:"alpha_pattern"`
	RSLoRA       bool     `json:"use_rslora"`
}

// peftDefault is the value of r and of lora_alpha where PEFT's file has none.
const peftDefault = 8.0

// peftFields are the fields of a LoraConfig that may say anything: those of
// peftConfig, and those that have done their part when the tensors are there.
var peftFields = []string{
	"r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora",
	"auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules",
	"fan_in_fan_out", "inference_mode", "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout",
	"lora_ga_config", "megatron_config", "megatron_core", "peft_version", "qalora_group_size", "revision",
	"runtime_config", "target_modules", "task_type",
}

// peftRefused are fields that change what an adapter does, and how; they must be
// empty, as must those that nobody here has heard of.
var peftRefused = map[string]string{
	"alora_invocation_tokens": "an adapter that is on from a token on",
	"arrow_config":            "a choice among adapters",
	"lora_bias":               "biases",
	"layer_replication":       "layers that the generator has not",
	"modules_to_save":         "full weights of other layers",
	"target_parameters":       "an adapter of parameters that are no layer's",
	"trainable_token_indices": "full embeddings of tokens",
	"use_bdlora":              "block-diagonal adapters",
	"use_dora":                "DoRA",
	"use_qalora":              "QA-LoRA",
}

// peftValues are the values of fields that have several, of which only these leave
// the rest as it is, and what others do.
var peftValues = map[string]struct {
	plain []string
	other string
}{
	"peft_type":         {[]string{`"LORA"`}, "an adapter of another kind"},
	"bias":              {[]string{`"none"`}, "biases"},
	"init_lora_weights": {[]string{"true", `"gaussian"`, `"orthogonal"`}, "an adapter of layers whose own weights it changed first"},
}

// parseConfig parses PEFT's LoraConfig, but for the fields to ignore.
func parseConfig(text []byte, ignore []string) (*peftConfig, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%w: LoraConfig: %w", ErrFormat, err)
	}
	for _, field := range ignore {
		delete(all, field)
	}
	for _, field := range slices.Sorted(maps.Keys(all)) {
		value := string(all[field])
		if empty(value) || slices.Contains(peftFields, field) || slices.Contains(peftValues[field].plain, value) {
			continue
		}
		why := "it is not known, and LoadOptions.Ignore can pass over it"
		if kind, ok := peftRefused[field]; ok {
			why = kind
		} else if v, ok := peftValues[field]; ok {
			why = v.other
		}
		return nil, fmt.Errorf("%w: LoraConfig: %s is %.40s (%s): %w", ErrFormat, field, value, why, errors.ErrUnsupported)
	}
	rest, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("%w: LoraConfig: %w", ErrFormat, err)
	}
	c := new(peftConfig)
	if err := json.Unmarshal(rest, c); err != nil {
		return nil, fmt.Errorf("%w: LoraConfig: %w", ErrFormat, err)
	}
	return c, nil
}

// empty tells a JSON value that says nothing.
func empty(value string) bool {
	switch strings.Join(strings.Fields(value), "") {
	case "null", "false", "0", "0.0", `""`, "[]", "{}":
		return true
	}
	return false
}

// findConfig returns PEFT's settings from the header or, for its own files, from
// the file beside; nil if there are none.
func (r *reader) findConfig(prefix string) (*peftConfig, error) {
	config, err := parsePEFT(r.file.Metadata(), prefix, r.Ignore)
	if config != nil || err != nil || prefix != peftPrefix+"." {
		return config, err
	}
	f, err := r.fsys.Open(path.Join(path.Dir(r.name), "adapter_config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 1 << 20 // bytes; real ones have two thousand
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrFormat, limit)
	}
	if err == nil {
		config, err = parseConfig(text, r.Ignore)
	}
	if err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	return config, nil
}

// parsePEFT returns the settings that diffusers wrote for the tensors with the
// prefix, and nil if there are none.
func parsePEFT(header map[string]string, prefix string, ignore []string) (*peftConfig, error) {
	text, ok := header[peftKey]
	if !ok {
		return nil, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("%w: metadata %q: %w", ErrFormat, peftKey, err)
	}
	mine := map[string]json.RawMessage{}
	for key, value := range all {
		if len(key) > len(prefix) && key[:len(prefix)] == prefix {
			mine[key[len(prefix):]] = value
		}
	}
	if mine["r"] == nil && mine["lora_alpha"] == nil {
		return nil, nil // settings of another network
	}
	again, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("%w: metadata %q: %w", ErrFormat, peftKey, err)
	}
	return parseConfig(again, ignore)
}

// alpha returns a layer's alpha, such that alpha/rank is its scale.
func (c *peftConfig) alpha(name string, rank int) (float64, error) {
	if c.R != nil {
		if want := c.RankPattern.of(name, *c.R); want != float64(rank) {
			return 0, fmt.Errorf("%w: rank %d, %v in its LoraConfig", ErrFormat, rank, want)
		}
	}
	common := peftDefault
	if c.Alpha != nil {
		common = *c.Alpha
	}
	alpha := c.AlphaPattern.of(name, common)
	if c.RSLoRA { // whose scale is alpha/√rank
		alpha *= math.Sqrt(float64(rank))
	}
	return alpha, nil
}

// patterns are numbers of layers that are not the common one, in the file's order.
type patterns []pattern

type pattern struct {
	key   string
	expr  *regexp.Regexp // of the last elements of a name
	value float64
}

// UnmarshalJSON keeps the order, which a map would lose.
func (p *patterns) UnmarshalJSON(text []byte) error {
	*p = nil
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil || open == nil { // null
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("a pattern is %.40s, not an object", text)
	}
	at := map[string]int{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		var value *float64
		if err := d.Decode(&value); err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok || value == nil {
			return fmt.Errorf("the pattern %v has no number", token)
		}
		i, again := at[key]
		if !again { // else the last one counts, in the place of the first
			expr, err := regexp.Compile(`^(?:.*\.)?(?:` + key + `)$`)
			if err != nil {
				return fmt.Errorf("pattern %q: %w", key, err)
			}
			i, at[key] = len(*p), len(*p)
			*p = append(*p, pattern{key: key, expr: expr})
		}
		(*p)[i].value = *value
	}
	return nil
}

// of returns the number of one layer. PEFT reads a key as a regular expression for
// the last elements of the name, and takes the first that matches.
func (p patterns) of(name string, common float64) float64 {
	for _, pattern := range p {
		if pattern.expr.MatchString(name) {
			return pattern.value
		}
	}
	for _, pattern := range p { // a name that is no expression for itself
		if pattern.key == name {
			return pattern.value
		}
	}
	return common
}
