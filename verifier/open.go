// Package verifier opens vision-language models from local folders in the layout
// of Hugging Face, or from repositories with such folders, which are downloaded:
//
//	qwen, err := verifier.Open(ctx, rt, "Qwen/Qwen2.5-VL-7B-Instruct", verifier.Options{})
//
// A [LanguageModel] teaches generators (dualprocess.Distill), rates their pictures
// (dualprocess.Evaluate), and answers questions about pictures of your own (Score,
// YesNo, Generate). The models are in the folders below, one each, where their
// documentation says how they look at pictures; they may be opened directly:
//
//   - qwen25vl: Qwen2.5-VL
//   - qwen3vl: Qwen3-VL, without mixtures of experts
//   - qwen35: Qwen3.5, the same
//   - idefics2: Idefics2
//   - llava: LLaVA-1.5
//   - gemma3: Gemma 3, in the sizes that can see
//   - pixtral: Pixtral 12B
//   - mistral3: Ministral 3 and Mistral Small 3
//   - smolvlm2: SmolVLM, SmolVLM2 and Idefics3
//   - pocket: a small model that this project trained, embedded in the library
//
// Package remote asks models behind an API, which rate pictures and cannot teach; nor
// can CLIP, in package clip, which rates how well they fit a caption, as [VQAScore] lets
// any of these do.
// Package verifiertest tests a verifier of your own.
package verifier

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// What a caller may want to tell apart, whatever model it is: the packages of the
// models have the same errors under the same names. A context or a runtime that is
// nil is an error that wraps dualprocess.ErrTask.
var (
	// ErrUnsupported says that a folder holds a model that this library does not have.
	ErrUnsupported = errors.New("unsupported model")
	// ErrOptions says that a field of Options is one that the model does not have, is
	// out of range, or does not go with another; the error names it.
	ErrOptions = vlm.ErrOptions
	// ErrPictureSize says that the model cannot look at pictures of a size: empty, too
	// small, too large or too elongated.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question or an answer cannot be put to the model: it is
	// empty, or not UTF-8.
	ErrQuestion = vlm.ErrQuestion
)

// Options of Open. The zero value is the model as its makers use it; a field that the
// model does not have must be left at zero.
type Options struct {
	// Paper processes pictures and writes prompts as the reference code of the paper,
	// Dual-Process Image Generation, does, for those who want its numbers, in place of
	// the model's own image processor and chat template. The packages of the models say
	// what that comes to. The pocket verifier and models that are newer than that code
	// have no such mode.
	Paper bool

	// Split looks at parts of a picture besides the whole, as the models' own processors
	// do: Idefics2 at its quarters, for five times the image tokens, and not with Paper;
	// SmolVLM and Idefics3 at its tiles, for up to 17 times as many.
	Split bool

	// Checkpoint says whether activations are computed again in the backward pass
	// instead of being kept: less memory for more time. The zero value decides by the
	// memory that is free. The pocket verifier has no such option.
	Checkpoint backends.Checkpointing

	// Int8 rounds the weights of the linear layers within the network's blocks to 8 bits as
	// they are read, with a scale for each of their outputs: half the memory of bfloat16.
	// What is before and behind the blocks, embeddings, norms, modulation,
	// convolutions stay as they are. The gradient flows through; adapters
	// keep their float32.
	Int8 bool

	// Ignore names fields of the folder's JSON files that are passed over, at any depth,
	// as if the files did not have them. A field that the library does not know is an
	// error otherwise, unless it is null, a stamp (such as transformers_version) or has
	// the value that the library assumes. The pocket verifier has no such option.
	Ignore []string

	// Variant chooses files of weights by the name that transformers' variant gives
	// them, such as "fp16" for model.fp16.safetensors. "" = the plain files, or where
	// there are none the only variant. The pocket verifier has no such option.
	Variant string

	// Hub says how a repository is downloaded, where the folder is none; what it says of
	// a variant is Variant's. The zero value reads the environment as Python does.
	Hub hub.Options
}

// Open opens the verifier in folder, by the architecture that its config.json names. A
// folder that does not exist and reads as owner/name or owner/name@revision is a
// repository, which Options.Hub says how to download ([hub.Model]); one that the library
// does not have is refused before its weights are fetched, and on a runtime of
// backends.Sketch none are.
//
// Its weights become frozen variables of the runtime's store, in the precision of the
// files. The error wraps ErrUnsupported, and names the architecture, where the library
// does not have it; ErrOptions, and names the field, where the model does not have an
// option; those of package hub; any other names the file with the field or the tensor at fault. Nothing is
// then left in the store.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error) {
	if err := arguments.Call(ctx, rt); err != nil {
		return nil, fmt.Errorf("verifier: open %s: %w", folder, err)
	}
	folder, files, err := arguments.Model(ctx, rt, folder, o.Hub, o.Variant, func(folder string) error {
		_, err := findIn(folder)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	o.Hub = hub.Options{}
	if files != nil {
		m, err := find(files)
		if err != nil {
			return nil, fmt.Errorf("verifier: open %s: %w", folder, err)
		}
		return m.files(ctx, rt, files, o)
	}
	m, err := findIn(folder)
	if err != nil {
		return nil, fmt.Errorf("verifier: open %s: %w", folder, err)
	}
	return m.folder(ctx, rt, folder, o)
}

// findIn returns the model of a folder of the operating system.
func findIn(folder string) (model, error) {
	files, err := hf.OpenFolder(folder, config, hf.Reading{})
	if err != nil {
		return model{}, err
	}
	return find(files)
}

// config says what model a folder holds.
const config = "config.json"

// find returns the model that config.json names.
func find(fsys fs.FS) (model, error) {
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(fsys, config, &fields); err != nil {
		return model{}, err
	}
	if hf.Null(fields["architectures"]) {
		return model{}, fmt.Errorf("%s: %w: has no architectures, and model_type is %.60s", config, ErrUnsupported, cmp.Or(string(fields["model_type"]), "missing"))
	}
	var architectures []string
	if err := json.Unmarshal(fields["architectures"], &architectures); err != nil {
		return model{}, fmt.Errorf("%s: architectures: %w", config, err)
	}
	for _, m := range models() {
		if !slices.Contains(architectures, m.architecture) {
			continue
		}
		if fits, err := m.fits(fields); fits || err != nil {
			return m, err
		}
	}
	return model{}, fmt.Errorf("%s: %w: architectures is %q", config, ErrUnsupported, architectures)
}

// fits says whether the folder has the model's vision tower.
func (m model) fits(fields map[string]json.RawMessage) (bool, error) {
	if m.tower == "" {
		return true, nil
	}
	var vision struct {
		ModelType string `json:"model_type"`
	}
	if hf.Null(fields["vision_config"]) {
		return false, hf.Within(config, hf.Errorf("has no vision_config"))
	}
	if err := json.Unmarshal(fields["vision_config"], &vision); err != nil {
		return false, fmt.Errorf("%s: vision_config: %w", config, err)
	}
	return vision.ModelType == m.tower, nil
}
