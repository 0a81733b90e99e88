package hub

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// The files that say what a repository holds.
const (
	pipelineIndex = "model_index.json"
	modelConfig   = "config.json"
)

// described are the small files that the library reads of a model's folder.
var described = []string{
	modelConfig, "generation_config.json", "scheduler_config.json", "preprocessor_config.json", "processor_config.json",
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.json", "chat_template.jinja",
}

// vocabularies are those of a folder without a tokenizer.json.
var vocabularies = []string{"tokenizer.model", "spiece.model", "vocab.json", "merges.txt"}

// unread are the parts of pipelines that the library has no use for.
var unread = []string{"safety_checker", "feature_extractor"}

// needed finds out which files a model needs, out of those of a repository.
type needed struct {
	files   hf.Folder
	fetch   func(names ...string) error // brings files, which can then be read
	accept  func() error                // looks at the first of them
	careful bool                        // wants all that a model can have, as files shows what was downloaded and not what there is
}

// collect fetches what the model needs: first the file that says what it is, then what
// describes it, and then the weights. Where the weights are all there, so is the rest.
func (n *needed) collect() error {
	main, err := n.main()
	if err != nil {
		return err
	}
	if err := n.fetch(main); err != nil {
		return err
	}
	if err := n.accept(); err != nil {
		return &refused{err}
	}
	parts := []part{{dir: ".", weights: true, tokenizer: true, processor: true}}
	if main == pipelineIndex {
		if parts, err = n.parts(); err != nil {
			return err
		}
	}
	names := []string{main}
	var checkpoints []string
	for _, p := range parts {
		described, checkpoint, err := n.part(p)
		if err != nil {
			return err
		}
		names = append(names, described...)
		checkpoints = append(checkpoints, checkpoint...)
	}
	indices := slices.DeleteFunc(slices.Clone(checkpoints), func(name string) bool { return !strings.HasSuffix(name, ".json") })
	if err := n.fetch(append(names, indices...)...); err != nil {
		return err
	}
	for _, index := range indices {
		shards, err := n.shards(index)
		if err != nil {
			return hf.Within(index, err)
		}
		checkpoints = append(checkpoints, shards...)
	}
	return n.fetch(checkpoints...)
}

// refused is the error of Options.Accept.
type refused struct{ error }

// main names the file that says what a repository holds.
func (n *needed) main() (string, error) {
	if n.has(pipelineIndex) {
		return pipelineIndex, nil
	}
	folder, err := hf.NewFolder(n.files.FS, modelConfig, n.files.Reading)
	n.files = folder
	return modelConfig, err
}

// part is a folder of a pipeline, or all of a model.
type part struct {
	dir                           string
	weights, tokenizer, processor bool // it has
}

// parts lists those that the index of a pipeline names and the library reads.
func (n *needed) parts() ([]part, error) {
	folder, err := hf.NewFolder(n.files.FS, pipelineIndex, n.files.Reading)
	if err != nil {
		return nil, err
	}
	n.files = folder
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(n.files.FS, pipelineIndex, &fields); err != nil {
		return nil, err
	}
	var parts []part
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var class []*string // and its library
		if json.Unmarshal(fields[name], &class) != nil || len(class) != 2 || class[0] == nil || class[1] == nil || slices.Contains(unread, name) {
			continue
		}
		if !validPath(name) || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%s: %q is not the name of a folder", pipelineIndex, name)
		}
		p := part{dir: name, tokenizer: strings.Contains(*class[1], "Tokenizer"), processor: strings.Contains(*class[1], "Processor")}
		p.weights = !p.tokenizer && !p.processor && !strings.Contains(*class[1], "Scheduler")
		parts = append(parts, p)
	}
	return parts, nil
}

// part returns the files that describe a part, and the checkpoint that has its weights.
func (n *needed) part(p part) (names, checkpoint []string, err error) {
	for _, name := range described {
		if name = path.Join(p.dir, name); n.has(name) {
			names = append(names, name)
		}
	}
	if !n.has(path.Join(p.dir, "tokenizer.json")) {
		for _, name := range vocabularies {
			if name = path.Join(p.dir, name); n.has(name) {
				names = append(names, name)
			}
		}
	}
	if n.careful {
		if err := n.check(p, names); err != nil {
			return nil, nil, err
		}
	}
	if !p.weights {
		return names, nil, nil
	}
	name, err := hf.FindWeights(n.files, p.dir)
	return names, []string{name}, err
}

// check sees to it that a part is described as it has to be.
func (n *needed) check(p part, names []string) error {
	any := func(of ...string) error {
		for _, name := range of {
			if slices.Contains(names, path.Join(p.dir, name)) {
				return nil
			}
		}
		return fmt.Errorf("%s has no %s: %w", p.dir, of[0], fs.ErrNotExist)
	}
	if p.tokenizer {
		if err := any(append([]string{"tokenizer.json"}, vocabularies...)...); err != nil {
			return err
		}
	}
	if p.processor {
		if err := any("preprocessor_config.json", "processor_config.json"); err != nil {
			return err
		}
	}
	if p.weights {
		return any(modelConfig)
	}
	return nil
}

// shards lists those that an index names; they lie beside it.
func (n *needed) shards(index string) ([]string, error) {
	data, err := fs.ReadFile(n.files.FS, index)
	if err != nil {
		return nil, err
	}
	return parseIndex(data, path.Dir(index))
}

// parseIndex reads the shards of an index of a folder.
func parseIndex(data []byte, dir string) ([]string, error) {
	var index struct {
		Shards map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, err
	}
	shards := slices.Compact(slices.Sorted(maps.Values(index.Shards)))
	for i, shard := range shards {
		if !validPath(shard) || strings.Contains(shard, "/") {
			return nil, fmt.Errorf("%.80q is not the name of a shard", shard)
		}
		shards[i] = path.Join(dir, shard)
	}
	return shards, nil
}

// has says whether the repository has a file.
func (n *needed) has(name string) bool {
	info, err := fs.Stat(n.files.FS, name)
	return err == nil && !info.IsDir()
}
