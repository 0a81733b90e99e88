package hf

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tower is a part of a configuration, in which an outer field has the name of an
// embedded one.
type tower struct {
	Size int    `json:"size"`
	Kind string `json:"model_type"`
	Pretrained
}

type towers struct {
	Main  tower             `json:"main"`
	List  []tower           `json:"list"`
	Named map[string]tower  `json:"named"`
	Maybe *tower            `json:"maybe"`
	Raw   json.RawMessage   `json:"raw"`
	Any   any               `json:"any"`
	Words map[string]string `json:"words"`
	Plain int
}

func TestHarmless(t *testing.T) {
	for text, unknown := range map[string]string{
		`{"main": {"size": 3, "model_type": "x", "top_p": 1}, "plain": 2, "PLAIN": 3}`: "",
		`{"main": {"a": null}, "list": [{"a": null}], "maybe": null}`:                  "",
		`{"unsloth_fixed": true, "unsloth_anything": {"a": 1}, "_commit_hash": "x"}`:   "",
		`{"main": {"transformers_version": "5.24", "decay": 0.9999}}`:                  "",
		`{"main": {"use_qk_norm": false}, "list": [{"partial_rotary_factor": 1.0}]}`:   "",
		`{"raw": {"a": 1}, "any": {"a": [{"b": 1}]}, "words": {"a": "b"}}`:             "",
		`{"main": {"use_qk_norm": true}}`:                                              `field "use_qk_norm"`,
		`{"main": {"partial_rotary_factor": 0.5}}`:                                     `field "partial_rotary_factor"`,
		`{"main": {"use_qk_norm": 0}}`:                                                 `field "use_qk_norm"`,
		`{"main": {"a": false}}`:                                                       `field "a"`,
		`{"list": [{}, {"a": 1}], "named": {"x": {"b": 1}}, "maybe": {"a": 0}}`:        `fields "a", "b"`,
		`{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}`:                     `"e" and 2 more`,
	} {
		var v towers
		err := Decode([]byte(text), &v)
		if unknown == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, unknown, text)
		require.ErrorContains(t, err, "Ignore")
	}
}

// TestHarmlessKnown: what a configuration has decides, whatever passes elsewhere.
func TestHarmlessKnown(t *testing.T) {
	var v struct {
		Dropout *float64 `json:"dropout"`
		Crop    bool     `json:"do_center_crop"`
	}
	v.Dropout = new(1.)
	require.NoError(t, Decode([]byte(`{"dropout": null, "do_center_crop": true}`), &v))
	require.Nil(t, v.Dropout)
	require.True(t, v.Crop)
}

// FuzzDecode: what is decoded strictly is what encoding/json decodes, and all fields
// that encoding/json finds unknown are either named or harmless.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{`{"main": {"size": 3}, "list": [{"a": null}]}`, `{"named": {"x": {"size": 1, "b": 1}}}`, `{"PLAIN": 3}`, `[`, `{"plain": 1, "Plain": 2}`, `{"maybe": [1]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want towers
		if err := Decode(data, &got); err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err == nil {
			a, err := json.Marshal(got)
			require.NoError(t, err)
			b, err := json.Marshal(want)
			require.NoError(t, err)
			require.JSONEq(t, string(b), string(a))
		}
	})
}
