// Package vqa is the network of verifier/pocket, for visual question answering: a
// vision tower, and a language model that reads a question about its tokens.
package vqa

import "fmt"

// Config of the pocket verifier: its config.json.
type Config struct {
	Architectures []string `json:"architectures"`           // Architecture alone
	ImageSize     int      `json:"image_size"`              // height and width that the vision tower reads, in pixels
	HiddenSize    int      `json:"hidden_size"`             // width of all tokens
	NumHeads      int      `json:"num_attention_heads"`     // of every block
	MLPRatio      int      `json:"mlp_ratio"`               // inner width of the MLP over HiddenSize
	StemChannels  []int    `json:"stem_channels"`           // of the two halvings before the last one
	VisionLayers  int      `json:"vision_layers"`           // blocks over the image tokens
	ReadoutTokens int      `json:"readout_tokens"`          // tokens that sum up the whole picture
	ReadoutWidth  int      `json:"readout_width"`           // of the vector that they are made of
	ReadoutDim    int      `json:"readout_dim"`             // numbers per image token that enter it
	TextLayers    int      `json:"text_layers"`             // blocks over the question, with the image in view
	VocabSize     int      `json:"vocab_size"`              // words, padding and the answer's place among them
	MaxWords      int      `json:"max_position_embeddings"` // a question's length after padding, the answer's place included
}

// Architecture names the pocket verifier in config.json.
const Architecture = "PocketForQuestionAnswering"

// DefaultConfig is the configuration of the embedded weights, for a vocabulary
// of that many words.
func DefaultConfig(vocabulary int) Config {
	return Config{
		Architectures: []string{Architecture},
		ImageSize:     64, HiddenSize: 128, NumHeads: 4, MLPRatio: 4, StemChannels: []int{24, 48}, VisionLayers: 1,
		ReadoutTokens: 4, ReadoutWidth: 384, ReadoutDim: 32, TextLayers: 3, VocabSize: vocabulary, MaxWords: 24,
	}
}

// stemStride is how many pixels, per axis, become one image token.
const stemStride = 8

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	for _, f := range []struct {
		name         string
		value, limit int
	}{
		{"image_size", c.ImageSize, 1024}, {"hidden_size", c.HiddenSize, 1 << 14},
		{"num_attention_heads", c.NumHeads, 256}, {"mlp_ratio", c.MLPRatio, 64},
		{"vision_layers", c.VisionLayers, 256}, {"readout_tokens", c.ReadoutTokens, 256},
		{"readout_width", c.ReadoutWidth, 1 << 14}, {"readout_dim", c.ReadoutDim, 1 << 12},
		{"text_layers", c.TextLayers, 256}, {"vocab_size", c.VocabSize, 1 << 20},
		{"max_position_embeddings", c.MaxWords, 1 << 12},
	} {
		if f.value < 1 || f.value > f.limit {
			return fmt.Errorf("%s is %d, want 1 to %d", f.name, f.value, f.limit)
		}
	}
	switch {
	case len(c.Architectures) != 1 || c.Architectures[0] != Architecture:
		return fmt.Errorf("architectures is %q, want %q", c.Architectures, Architecture)
	case len(c.StemChannels) != 2:
		return fmt.Errorf("stem_channels has %d numbers, want 2", len(c.StemChannels))
	case c.StemChannels[0] < 1 || c.StemChannels[1] < 1 || c.StemChannels[0] > 4096 || c.StemChannels[1] > 4096:
		return fmt.Errorf("stem_channels is %v, want 1 to 4096", c.StemChannels)
	case c.ImageSize%stemStride != 0:
		return fmt.Errorf("image_size %d is no multiple of %d", c.ImageSize, stemStride)
	case c.HiddenSize%c.NumHeads != 0:
		return fmt.Errorf("hidden_size %d is no multiple of num_attention_heads %d", c.HiddenSize, c.NumHeads)
	}
	return nil
}

func (c Config) imageTokens() int { return (c.ImageSize / stemStride) * (c.ImageSize / stemStride) }
