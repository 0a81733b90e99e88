package lora

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Keys of the header's metadata.
const (
	// peftKey is where diffusers looks for the settings of the adapter: a JSON
	// object of PEFT's LoraConfig, each key with the prefix of the tensors.
	peftKey = "lora_adapter_metadata"
	// ownKey holds what diffusers has no word for.
	ownKey = "dualprocess"
)

// perLayer is a number per layer as PEFT writes it: one for most layers, and a
// map of the exceptions.
type perLayer struct {
	common float64
	others map[string]float64
}

// spread returns the numbers of the parts in that form.
func spread(parts []part, number func(p part) float64) perLayer {
	counts := map[float64]int{}
	for _, p := range parts {
		counts[number(p)]++
	}
	out := perLayer{others: map[string]float64{}}
	for _, v := range slices.Sorted(maps.Keys(counts)) { // so that a tie is decided
		if counts[v] > counts[out.common] {
			out.common = v
		}
	}
	for _, p := range parts {
		if v := number(p); v != out.common {
			out.others[p.Name] = v
		}
	}
	return out
}

// patterns returns the exceptions for PEFT. A name that is also the end of
// another layer's is anchored, or PEFT would take it for both. The others stay
// plain, as diffusers writes them: old versions of PEFT look them up as names.
func (l perLayer) patterns(names []string) map[string]float64 {
	out := make(map[string]float64, len(l.others))
	for name, v := range l.others {
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "."+name) }) {
			name = "^" + regexp.QuoteMeta(name)
		}
		out[name] = v
	}
	return out
}

// ownMetadata is the value of ownKey.
type ownMetadata struct {
	Prefix string             `json:"prefix"`    // of the tensors' names; in kohya's naming, of those in other files
	Weight float64            `json:"weight"`    // Adapter.Weight
	One    float64            `json:"scale_one"` // the weight that scale 1 of the file stands for
	Alpha  float64            `json:"alpha"`     // at weight 1, where the file has alpha at weight One
	Alphas map[string]float64 `json:"alpha_pattern,omitempty"`
	Ranks  map[string]int     `json:"ranks,omitempty"` // of layers that were fused
}

// metadata returns the header's metadata for parts as they will be written,
// whose alphas are those of the file, and for the adapter that they came from.
func metadata(written, original []part, own ownMetadata) (map[string]string, error) {
	header, err := own.header(original)
	if err != nil {
		return nil, err
	}
	ranks := spread(written, func(p part) float64 { return float64(p.rank) })
	alphas := spread(written, func(p part) float64 { return p.alpha })
	names := make([]string, len(written))
	for i, p := range written {
		names[i] = p.Name
	}
	// Only what LoraConfig has known since long: diffusers hands it every key, and
	// an unknown one is an error. It insists on rank_pattern even if empty.
	peft := map[string]any{}
	for key, value := range map[string]any{
		"r": ranks.common, "rank_pattern": ranks.patterns(names),
		"lora_alpha": alphas.common, "alpha_pattern": alphas.patterns(names),
		"target_modules": names,
	} {
		peft[own.Prefix+"."+key] = value
	}
	peftText, err := json.MarshalIndent(peft, "", "  ")
	if err != nil {
		return nil, err
	}
	header[peftKey] = string(peftText)
	return header, nil
}

// header returns the metadata that is ours alone, for an adapter of these parts.
func (own ownMetadata) header(original []part) (map[string]string, error) {
	alpha := spread(original, func(p part) float64 { return p.alpha })
	own.Alpha, own.Alphas = alpha.common, alpha.others
	text, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	return map[string]string{"format": "pt", ownKey: string(text)}, nil
}

// prefix is the adapter's, "" in files from elsewhere.
func (own *ownMetadata) prefix() string {
	if own == nil {
		return ""
	}
	return own.Prefix
}

// weight is the adapter's: 1 for files from elsewhere.
func (own *ownMetadata) weight() float64 {
	if own == nil {
		return 1
	}
	return own.Weight
}

// parseOwn returns what Save wrote, and nil for files from elsewhere.
func parseOwn(header map[string]string) (*ownMetadata, error) {
	text, ok := header[ownKey]
	if !ok {
		return nil, nil
	}
	own := new(ownMetadata)
	if err := json.Unmarshal([]byte(text), own); err != nil {
		return nil, fmt.Errorf("%w: metadata %q: %w", ErrFormat, ownKey, err)
	}
	if own.One == 0 || own.Weight == 0 {
		return nil, fmt.Errorf("%w: metadata %q: a weight is 0", ErrFormat, ownKey)
	}
	return own, nil
}

// alpha returns a layer's alpha here for its alpha in the file. Dividing by the
// weight may miss the last bit, so the alpha that Save noted is taken if it is
// the same but for a rounding; where it is not, somebody changed the file since.
func (own *ownMetadata) alpha(name string, file, rounding float64) float64 {
	noted, ok := own.Alphas[name] // full names, not patterns as in PEFT
	if !ok {
		noted = own.Alpha
	}
	if math.Abs(noted*own.One-file) <= rounding*math.Abs(file) {
		return noted
	}
	return file / own.One
}

func sortParts(parts []part) {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.Name, b.Name) })
}
