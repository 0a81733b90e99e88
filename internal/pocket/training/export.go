package training

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/pocket/vqa"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Export writes the averaged weights of every stage that has been trained into
// the folders that the library embeds, in bfloat16: root is the module's folder.
func Export(o Options, root string) error {
	generator := filepath.Join(root, "generator", "pocket", "weights")
	verifier := filepath.Join(root, "verifier", "pocket", "weights")
	captions, questions := captionVocabulary(), questionVocabulary()
	cfg := diffusion.DefaultConfig(len(captions.words))
	files := map[string]any{
		filepath.Join(generator, "model_index.json"):                   modelIndex,
		filepath.Join(generator, "transformer", "config.json"):         cfg.Transformer,
		filepath.Join(generator, "vae", "config.json"):                 cfg.Decoder,
		filepath.Join(generator, "scheduler", "scheduler_config.json"): cfg.Scheduler,
		filepath.Join(generator, "tokenizer", "tokenizer.json"):        captions.tokenizer(),
		filepath.Join(verifier, "config.json"):                         vqa.DefaultConfig(len(questions.words)),
		filepath.Join(verifier, "tokenizer.json"):                      questions.tokenizer(),
	}
	for path, content := range files {
		if err := writeJSON(path, content); err != nil {
			return err
		}
	}
	const diffusers = "diffusion_pytorch_model.safetensors"
	decoder := decoderPlan
	if _, err := os.Stat(o.path(decoder.name)); err != nil {
		decoder = autoencoderPlan // its training has not begun
	}
	return errors.Join(
		o.export(decoder, filepath.Join(generator, "vae", diffusers), decoderPrefix),
		o.export(generatorPlan, filepath.Join(generator, "transformer", diffusers), ""),
		o.export(verifierPlan, filepath.Join(verifier, "model.safetensors"), "vision_model.", "language_model."),
	)
}

// modelIndex tells generator.Open which generator lies in the folder.
var modelIndex = map[string]any{"_class_name": pocket.Pipeline}

// export writes the averaged weights of one stage whose names begin with one of
// the prefixes. A stage that has not begun is left out.
func (o Options) export(p plan, path string, prefixes ...string) error {
	file, err := safetensors.OpenFile(o.path(p.name))
	if errors.Is(err, fs.ErrNotExist) {
		o.Logger.Warn("not trained yet", "stage", p.name)
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var list []safetensors.Tensor
	for _, info := range file.Tensors() {
		name, ok := strings.CutPrefix(info.Name, averagePrefix)
		if !ok || !hasPrefix(name, prefixes) {
			continue
		}
		values, err := file.Float32s(info.Name)
		if err != nil {
			return err
		}
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.BF16, Shape: info.Shape, Data: bfloat16(values)})
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	return safetensors.WriteFile(path, list, map[string]string{"step": file.Metadata()["step"]})
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// bfloat16 rounds to the nearest, ties to even.
func bfloat16(values []float32) []byte {
	out := make([]byte, 0, 2*len(values))
	for _, v := range values {
		bits := math.Float32bits(v)
		bits += 0x7fff + bits>>16&1
		out = binary.LittleEndian.AppendUint16(out, uint16(bits>>16))
	}
	return out
}

func writeJSON(path string, content any) error {
	data, err := json.MarshalIndent(content, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	return nil
}

// tokenizer is the vocabulary as a tokenizer.json: lower case, words and
// punctuation marks apart, and no word for the unknown.
func (v *vocabulary) tokenizer() map[string]any {
	var added []map[string]any
	for id, word := range v.words {
		if strings.HasPrefix(word, "<") {
			added = append(added, map[string]any{"id": id, "content": word, "single_word": false,
				"lstrip": false, "rstrip": false, "normalized": false, "special": true})
		}
	}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added,
		"normalizer": map[string]any{"type": "Lowercase"},
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "WhitespaceSplit"}, map[string]any{"type": "Punctuation", "behavior": "Isolated"}}},
		"post_processor": nil, "decoder": nil,
		"model": map[string]any{"type": "WordLevel", "vocab": v.ids},
	}
}
