package hf

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pictureFields are those of a tower that takes squares.
type pictureFields struct {
	Side int `json:"side"`
	PictureConfig
}

func readProcessor(files map[string]string) (picture pictureFields, tokens int, err error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	picture = pictureFields{Side: 7, PictureConfig: PictureConfig{
		Resample: Bicubic, RescaleFactor: 1. / 255, Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1},
	}}
	processor := struct {
		Tokens int `json:"image_seq_length"`
	}{Tokens: 5}
	_, err = ReadProcessor(fsys, &picture, &processor)
	return picture, processor.Tokens, err
}

func TestReadProcessor(t *testing.T) {
	const older, newer = "preprocessor_config.json", "processor_config.json"
	for name, test := range map[string]struct {
		files        map[string]string
		side, tokens int
	}{
		"version 4":           {map[string]string{older: `{"side": 9, "do_resize": true}`, newer: `{"image_seq_length": 6}`}, 9, 6},
		"version 4, one file": {map[string]string{older: `{"resample": 2}`}, 7, 5},
		"version 5":           {map[string]string{newer: `{"image_seq_length": 6, "image_processor": {"side": 9}}`}, 9, 6},
		"both":                {map[string]string{older: `{"side": 8}`, newer: `{"image_processor": {"side": 9}}`}, 9, 5},
	} {
		t.Run(name, func(t *testing.T) {
			picture, tokens, err := readProcessor(test.files)
			require.NoError(t, err)
			require.NoError(t, picture.Check())
			assert.Equal(t, test.side, picture.Side)
			assert.Equal(t, test.tokens, tokens)
		})
	}
	_, _, err := readProcessor(nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for file, text := range map[string]string{
		older: `{"sides": 3}`, newer: `{"image_seq_len": 6, "image_processor": {}}`,
	} {
		_, _, err := readProcessor(map[string]string{file: text})
		require.ErrorContains(t, err, file)
	}
	_, _, err = readProcessor(map[string]string{newer: `{"image_processor": {"sides": 3}}`})
	require.ErrorContains(t, err, "sides")
}

func TestPictureConfig(t *testing.T) {
	for _, field := range []string{
		`"do_resize": false`, `"do_rescale": false`, `"do_normalize": false`, `"resample": 0`, `"rescale_factor": 1`,
		`"image_mean": [0.5]`, `"image_std": [0.5, 0.5]`, `"image_mean": [0, 1e9, 0]`, `"image_std": [1, 0, 1]`,
	} {
		picture, _, err := readProcessor(map[string]string{"preprocessor_config.json": "{" + field + "}"})
		require.NoError(t, err)
		require.ErrorIs(t, picture.Check(), ErrConfig, field)
	}
}
