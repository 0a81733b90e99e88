// Package diffusion is the network of the pocket generator: a rectified-flow
// transformer over the latents of an autoencoder, of which it has the decoder. Package
// generator/pocket runs it, and package training trains it.
package diffusion

import (
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// Config of the pocket generator: the JSON files of its folder, which has the
// layout of a diffusers pipeline.
type Config struct {
	Transformer TransformerConfig // transformer/config.json
	Decoder     DecoderConfig     // vae/config.json
	Scheduler   SchedulerConfig   // scheduler/scheduler_config.json
}

// TransformerConfig sizes the rectified-flow transformer.
type TransformerConfig struct {
	SampleSize     int     `json:"sample_size"`      // height and width of the latents
	InChannels     int     `json:"in_channels"`      // channels of the latents
	PatchSize      int     `json:"patch_size"`       // latents per token and axis
	HiddenSize     int     `json:"hidden_size"`      // width of the residual stream
	NumLayers      int     `json:"num_layers"`       // blocks
	NumHeads       int     `json:"num_heads"`        // attention heads
	MLPRatio       int     `json:"mlp_ratio"`        // inner width of the MLP over HiddenSize
	VocabSize      int     `json:"vocab_size"`       // words, the padding word 0 among them
	WordDim        int     `json:"word_dim"`         // width of a word's vector
	MaxWords       int     `json:"max_words"`        // a prompt's length after padding
	WordsPerToken  int     `json:"words_per_token"`  // neighbouring words that share one text token
	FrequencyDim   int     `json:"frequency_dim"`    // sines and cosines of the noise level
	TextPoolWeight float64 `json:"text_pool_weight"` // scale of the summed words in the conditioning vector
}

// DecoderConfig sizes the autoencoder's decoder, from the latents up.
type DecoderConfig struct {
	LatentChannels int   `json:"latent_channels"`
	LatentSize     int   `json:"latent_size"`
	BlockChannels  []int `json:"block_out_channels"` // per resolution, each twice the one before
	LayersPerBlock int   `json:"layers_per_block"`
}

// SchedulerConfig is the grid of noise levels of the sampler.
type SchedulerConfig struct {
	NumSteps int     `json:"num_inference_steps"`
	Shift    float64 `json:"shift"` // s' = shift·s/(1+(shift-1)·s)
}

// DefaultConfig is the configuration of the embedded weights, for a vocabulary
// of that many words.
func DefaultConfig(vocabulary int) Config {
	return Config{
		Transformer: TransformerConfig{
			SampleSize: 8, InChannels: 8, PatchSize: 2, HiddenSize: 160, NumLayers: 6, NumHeads: 5, MLPRatio: 4,
			VocabSize: vocabulary, WordDim: 64, MaxWords: 15, WordsPerToken: 3, FrequencyDim: 64, TextPoolWeight: 0.35,
		},
		Decoder:   DecoderConfig{LatentChannels: 8, LatentSize: 8, BlockChannels: []int{96, 64, 48}, LayersPerBlock: 2},
		Scheduler: SchedulerConfig{NumSteps: 10, Shift: 1.3},
	}
}

// ReadConfig reads the JSON files of a folder and checks them.
func ReadConfig(fsys fs.FS) (c Config, err error) {
	for _, part := range []struct {
		file   string
		config any
	}{
		{"transformer/config.json", &c.Transformer}, {"vae/config.json", &c.Decoder}, {pipeline.SchedulerFile, &c.Scheduler},
	} {
		if err := hf.ReadConfig(fsys, part.file, part.config); err != nil {
			return c, err
		}
	}
	return c, c.Validate()
}

// PictureSize is the height and width of the decoded picture in pixels.
func (c DecoderConfig) PictureSize() int { return c.LatentSize << len(c.BlockChannels) }

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	if err := c.validateRanges(); err != nil {
		return err
	}
	return c.validateTogether()
}

// validateRanges looks at each number by itself.
func (c Config) validateRanges() error {
	t, d, s := c.Transformer, c.Decoder, c.Scheduler
	for _, f := range []struct {
		name  string
		value int
		limit int
	}{
		{"transformer.sample_size", t.SampleSize, 256}, {"transformer.in_channels", t.InChannels, 256},
		{"transformer.patch_size", t.PatchSize, 16}, {"transformer.hidden_size", t.HiddenSize, 1 << 14},
		{"transformer.num_layers", t.NumLayers, 256}, {"transformer.num_heads", t.NumHeads, 256},
		{"transformer.mlp_ratio", t.MLPRatio, 64}, {"transformer.vocab_size", t.VocabSize, 1 << 20},
		{"transformer.word_dim", t.WordDim, 1 << 14}, {"transformer.max_words", t.MaxWords, 1 << 10},
		{"transformer.words_per_token", t.WordsPerToken, 64}, {"transformer.frequency_dim", t.FrequencyDim, 1 << 12},
		{"vae.latent_channels", d.LatentChannels, 256}, {"vae.latent_size", d.LatentSize, 256},
		{"vae.layers_per_block", d.LayersPerBlock, 64}, {"vae.block_out_channels", len(d.BlockChannels), 6},
		{"scheduler.num_inference_steps", s.NumSteps, 1000},
	} {
		if f.value < 1 || f.value > f.limit {
			return fmt.Errorf("%s is %d, want 1 to %d", f.name, f.value, f.limit)
		}
	}
	for _, ch := range d.BlockChannels {
		if ch < 1 || ch > 4096 {
			return fmt.Errorf("vae.block_out_channels holds %d, want 1 to 4096", ch)
		}
	}
	if !(s.Shift > 0 && s.Shift < 100) {
		return fmt.Errorf("scheduler.shift is %v, want more than 0 and less than 100", s.Shift)
	}
	return nil
}

// validateTogether looks at numbers that have to go with each other.
func (c Config) validateTogether() error {
	t, d := c.Transformer, c.Decoder
	switch {
	case t.SampleSize%t.PatchSize != 0:
		return fmt.Errorf("transformer.sample_size %d is no multiple of patch_size %d", t.SampleSize, t.PatchSize)
	case t.HiddenSize%t.NumHeads != 0:
		return fmt.Errorf("transformer.hidden_size %d is no multiple of num_heads %d", t.HiddenSize, t.NumHeads)
	case t.MaxWords%t.WordsPerToken != 0:
		return fmt.Errorf("transformer.max_words %d is no multiple of words_per_token %d", t.MaxWords, t.WordsPerToken)
	case t.FrequencyDim%2 != 0:
		return fmt.Errorf("transformer.frequency_dim %d is odd", t.FrequencyDim)
	case d.LatentChannels != t.InChannels:
		return fmt.Errorf("vae.latent_channels %d is not transformer.in_channels %d", d.LatentChannels, t.InChannels)
	case d.LatentSize != t.SampleSize:
		return fmt.Errorf("vae.latent_size %d is not transformer.sample_size %d", d.LatentSize, t.SampleSize)
	}
	return nil
}
