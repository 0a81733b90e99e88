// Package verifier opens vision-language models from local folders in the layout
// of Hugging Face. The models themselves are in the folders below, one each, and
// may be opened directly.
package verifier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
)

// ErrUnsupported says that a folder holds a model that this library does not have.
var ErrUnsupported = errors.New("unsupported model")

// Open opens the verifier in folder, by the architecture that its config.json
// names, as its makers use it; for the paper's own processing and other options
// open it by its own package. Its weights become frozen variables of the runtime's
// store. What it returns is a LanguageModel, unless the folder holds the pocket
// verifier. The error wraps ErrUnsupported, and names the architecture, where the
// library does not have it.
func Open(ctx context.Context, rt *backends.Runtime, folder string) (dualprocess.Verifier, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	const config = "config.json"
	fsys := os.DirFS(folder)
	architectures, err := hf.ReadField[[]string](fsys, config, "architectures")
	if err != nil {
		return nil, fmt.Errorf("verifier: open %s: %w", folder, err)
	}
	if slices.Contains(architectures, pocket.Architecture) {
		return pocket.OpenFS(rt, fsys)
	}
	for _, m := range models() {
		if !slices.Contains(architectures, m.architecture) {
			continue
		}
		if fits, err := m.fits(fsys); err != nil {
			return nil, fmt.Errorf("verifier: open %s: %w", folder, err)
		} else if fits {
			return opened(m.open(ctx, rt, folder, vlm.Options{}))
		}
	}
	return nil, fmt.Errorf("verifier: %s: %w: architectures is %q", filepath.Join(folder, config), ErrUnsupported, architectures)
}

// entry is a vision-language model by what config.json says of it.
type entry struct {
	architecture string
	tower        string // vision_config.model_type, "" for any: LLaVA and Pixtral share an architecture's name
	open         func(context.Context, *backends.Runtime, string, vlm.Options) (*vlm.Verifier, error)
}

func models() []entry {
	return []entry{
		{qwen25vl.Architecture, "", qwen25vl.Open},
		{idefics2.Architecture, "", idefics2.Open},
		{gemma3.Architecture, "", gemma3.Open},
		{pixtral.Architecture, pixtral.VisionModelType, pixtral.Open},
		{llava.Architecture, llava.VisionModelType, llava.Open},
	}
}

// fits says whether the folder has the tower.
func (e entry) fits(fsys fs.FS) (bool, error) {
	if e.tower == "" {
		return true, nil
	}
	type config struct {
		ModelType string `json:"model_type"`
	}
	vision, err := hf.ReadField[config](fsys, "config.json", "vision_config")
	return vision.ModelType == e.tower, err
}

// opened keeps a nil pointer from becoming a Verifier that is not nil.
func opened(v *vlm.Verifier, err error) (dualprocess.Verifier, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}
