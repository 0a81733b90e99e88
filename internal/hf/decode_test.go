package hf

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	v := struct{ Size, Depth int }{Depth: 3}
	require.NoError(t, Decode([]byte(`{"size": 2}`), &v))
	require.Equal(t, struct{ Size, Depth int }{2, 3}, v)
	require.ErrorContains(t, Decode([]byte(`{"sizes": 2}`), &v), "sizes")
}

func TestDecodeFields(t *testing.T) {
	decode := func(text string) (v struct {
		Size  *int `json:"size"`
		Depth *int `json:"depth"`
	}, err error) {
		v.Size, v.Depth = new(1), new(2)
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(text), &fields))
		err = DecodeFields(fields, &v)
		return v, err
	}
	v, err := decode(`{"size": null, "sizes": null}`)
	require.NoError(t, err)
	require.Nil(t, v.Size, "a null in place of the default")
	require.Equal(t, 2, *v.Depth)
	_, err = decode(`{"size": null, "sizes": 3}`)
	require.ErrorContains(t, err, "sizes")
	_, err = decode(`{"size": "3"}`)
	require.ErrorContains(t, err, "size")
}

func TestWithin(t *testing.T) {
	require.NoError(t, Within("c.json", nil))
	require.EqualError(t, Within("c.json", Errorf("size is 3")), "c.json: unsupported configuration: size is 3")
}
